import { expect, test } from "vitest";
import { scaledFont } from "../src/terminal/letterbox";

test("a terminal that is larger than the window is shown smaller, as its narrower side asks", () => {
  expect(scaledFont(14, { cols: 80, rows: 24 }, { cols: 100, rows: 24 })).toBe(11);
  expect(scaledFont(14, { cols: 80, rows: 24 }, { cols: 80, rows: 48 })).toBe(7);
});

test("one that is smaller keeps the font and has an empty edge", () => {
  expect(scaledFont(14, { cols: 80, rows: 24 }, { cols: 40, rows: 10 })).toBe(14);
});

test("nobody reads less than six pixels", () => {
  expect(scaledFont(14, { cols: 20, rows: 10 }, { cols: 1000, rows: 10 })).toBe(6);
});
