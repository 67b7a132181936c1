import { expect, test, vi } from "vitest";
import { queueCard, showPlace } from "../src/lab/cards";

const title = (box: Element): string | null | undefined => box.querySelector("h2")?.textContent;

test("it says the place in words", () => {
  expect(title(queueCard({ position: 3, length: 7 }, vi.fn()))).toBe("You are number 3 of 7 in line");
  expect(title(queueCard({ position: 1, length: 7 }, vi.fn()))).toBe("You are next in line");
});

test("the place moves on while the button, and the focus on it, stay", () => {
  const box = queueCard({ position: 2, length: 2 }, vi.fn());
  document.body.replaceChildren(box);
  const button = box.querySelector("button");
  button?.focus();
  showPlace(box, { position: 1, length: 1 });
  expect(title(box)).toBe("You are next in line");
  expect(document.activeElement).toBe(button);
});

test("what has not changed is not written again, so it is not read out again", () => {
  const box = queueCard({ position: 2, length: 5 }, vi.fn());
  const before = box.querySelector("h2")?.firstChild;
  showPlace(box, { position: 2, length: 5 });
  expect(box.querySelector("h2")?.firstChild).toBe(before);
});

test("leaving is one press", () => {
  const leave = vi.fn();
  queueCard({ position: 1, length: 1 }, leave).querySelector("button")?.click();
  expect(leave).toHaveBeenCalledOnce();
});
