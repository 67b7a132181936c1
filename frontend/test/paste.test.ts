import { describe, expect, it } from "vitest";
import { forTerminal, LARGE, plan } from "../src/terminal/paste";

describe("paste", () => {
  it("goes at once where nothing can run by surprise", () => {
    expect(plan("ls", false)).toBe("now");
    expect(plan("ls\n", false)).toBe("now");
    expect(plan("one\ntwo", true)).toBe("now");
  });

  it("is shown first where each line would run, and where it is large", () => {
    expect(plan("one\ntwo", false)).toBe("ask-lines");
    expect(plan("x".repeat(LARGE + 1), true)).toBe("ask-large");
  });

  it("cannot end its own bracket", () => {
    const hostile = "harmless\x1b[201~\rrm -rf /\r";
    expect(forTerminal(hostile, true)).toBe("\x1b[200~harmless\u241b[201~\rrm -rf /\r\x1b[201~");
  });

  it("sends line ends as the Enter key does", () => {
    expect(forTerminal("a\r\nb\nc", false)).toBe("a\rb\rc");
  });
});
