import { describe, expect, it, vi } from "vitest";
import { handleKey, type KeyActions } from "../src/terminal/keys";

function actions(over: { selection?: boolean; fullScreen?: boolean } = {}): KeyActions {
  return {
    hasSelection: () => over.selection ?? false,
    inFullScreenProgram: () => over.fullScreen ?? false,
    copy: vi.fn<() => void>(),
    leave: vi.fn<() => void>(),
    find: vi.fn<() => void>(),
    stepFontSize: vi.fn<(step: number) => void>(),
    turn: vi.fn<(step: number) => void>(),
    cancelPaste: vi.fn<() => boolean>(() => false),
  };
}

const press = (key: string, held: KeyboardEventInit = {}): KeyboardEvent => new KeyboardEvent("keydown", { key, cancelable: true, ...held });

describe("keys in the terminal", () => {
  it("Ctrl+C copies a selection, and interrupts without one", () => {
    const selected = actions({ selection: true });
    expect(handleKey(press("c", { ctrlKey: true }), selected)).toBe(false);
    expect(selected.copy).toHaveBeenCalledOnce();
    const none = actions();
    expect(handleKey(press("c", { ctrlKey: true }), none)).toBe(true);
    expect(none.cancelPaste).toHaveBeenCalledOnce();
  });

  it("Ctrl+Shift+C never reaches the browser's developer tools", () => {
    const event = press("C", { ctrlKey: true, shiftKey: true });
    expect(handleKey(event, actions())).toBe(false);
    expect(event.defaultPrevented).toBe(true);
  });

  it("Ctrl+V and Ctrl+Shift+V are left to the browser, which pastes", () => {
    for (const event of [press("v", { ctrlKey: true }), press("V", { ctrlKey: true, shiftKey: true })]) {
      expect(handleKey(event, actions())).toBe(false);
      expect(event.defaultPrevented).toBe(false);
    }
  });

  it("F6 leaves, except in a full-screen program, where Ctrl+Shift+F6 does", () => {
    const shell = actions();
    expect(handleKey(press("F6"), shell)).toBe(false);
    expect(shell.leave).toHaveBeenCalledOnce();
    const program = actions({ fullScreen: true });
    expect(handleKey(press("F6"), program)).toBe(true);
    expect(program.leave).not.toHaveBeenCalled();
    expect(handleKey(press("F6", { ctrlKey: true, shiftKey: true }), program)).toBe(false);
    expect(program.leave).toHaveBeenCalledOnce();
  });

  it("find, text size and the way to the next terminal are the page's", () => {
    const taken = actions();
    expect(handleKey(press("F", { ctrlKey: true, shiftKey: true }), taken)).toBe(false);
    expect(taken.find).toHaveBeenCalledOnce();
    for (const key of ["=", "+", "-", "0"]) {
      const event = press(key, { ctrlKey: true, altKey: true });
      // happy-dom takes every Alt for AltGr.
      event.getModifierState = () => false;
      expect(handleKey(event, taken)).toBe(false);
    }
    expect(vi.mocked(taken.stepFontSize).mock.calls).toEqual([[1], [1], [-1], [0]]);
    expect(handleKey(press("ArrowRight", { ctrlKey: true, shiftKey: true }), taken)).toBe(false);
    expect(taken.turn).toHaveBeenCalledWith(1);
  });

  it("keys of the shell that look alike are left to it", () => {
    const none = actions();
    for (const [key, held] of [
      ["f", { ctrlKey: true }],
      ["ArrowRight", { ctrlKey: true }],
      ["-", { altKey: true }],
      ["q", { ctrlKey: true, altKey: true }],
    ] as const) {
      const event = press(key, held);
      event.getModifierState = () => false; // happy-dom takes every Alt for AltGr
      expect(handleKey(event, none)).toBe(true);
    }
    expect(handleKey(press("0", { ctrlKey: true, altKey: true }), none)).toBe(true); // AltGr+0 is } on a German keyboard
    expect(none.stepFontSize).not.toHaveBeenCalled();
  });

  it("Tab and Escape belong to the shell", () => {
    expect(handleKey(press("Tab"), actions())).toBe(true);
    expect(handleKey(press("Escape"), actions())).toBe(true);
  });
});
