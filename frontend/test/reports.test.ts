import { describe, expect, it } from "vitest";
import { isReport } from "../src/terminal/reports";

describe("answers of the terminal", () => {
  it.each(["\x1b[?1;2c", "\x1b[>0;276;0c", "\x1b[24;80R", "\x1b[0n", "\x1b[?2026;2$y", "\x1b]11;rgb:1111/1111/1111\x1b\\", "\x1b[?1;2c\x1b[3;4R"])(
    "%j is one",
    (data) => expect(isReport(data)).toBe(true),
  );
  it.each(["a", "ls\r", "\x1b", "\x1b[A", "\x1bOA", "\x1b[3~", "\x03", "\x1b[200~text\x1b[201~", "\x1b[1;2cls"])("%j is typed", (data) =>
    expect(isReport(data)).toBe(false),
  );
});
