/** Which keys the page takes before the shell sees them. Tab and everything else belong to the shell. */
export interface KeyActions {
  hasSelection(): boolean;
  inFullScreenProgram(): boolean;
  copy(): void;
  leave(): void;
  find(): void;
  stepFontSize(step: -1 | 0 | 1): void;
  /** To the next (1) or the previous (-1) terminal. */
  turn(step: -1 | 1): void;
  /** True where there was a paste on its way that has now been cancelled. */
  cancelPaste(): boolean;
}

/** Returns false where xterm.js must not handle the key. */
export function handleKey(event: KeyboardEvent, actions: KeyActions): boolean {
  if (event.type !== "keydown") return true;
  const control = event.ctrlKey && !event.altKey && !event.metaKey;
  const key = event.key.toLowerCase();

  if (event.key === "F6" && !event.altKey && !event.metaKey && ((event.ctrlKey && event.shiftKey) || plainF6(event, actions))) {
    event.preventDefault();
    actions.leave();
    return false;
  }
  const take = (act: () => void): false => {
    event.preventDefault();
    act();
    return false;
  };
  if (control && event.shiftKey && key === "f") return take(() => actions.find());
  if (control && event.shiftKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
    return take(() => actions.turn(event.key === "ArrowLeft" ? -1 : 1));
  }
  if (event.ctrlKey && event.altKey && !event.getModifierState("AltGraph")) {
    const step = ({ "+": 1, "=": 1, "-": -1, "0": 0 } as const)[event.key];
    if (step !== undefined) return take(() => actions.stepFontSize(step));
  }
  if ((control || event.metaKey) && key === "c" && (event.shiftKey || event.metaKey || actions.hasSelection())) {
    // Also keeps Ctrl+Shift+C from opening the developer tools.
    event.preventDefault();
    if (actions.hasSelection()) actions.copy();
    return false;
  }
  if (control && key === "c") {
    actions.cancelPaste();
    return true;
  }
  // Not handled and not prevented: the browser then fires its paste event.
  return !(control && key === "v");
}

/** Full-screen programs use F6 themselves. */
function plainF6(event: KeyboardEvent, actions: KeyActions): boolean {
  return !event.ctrlKey && !event.shiftKey && !actions.inFullScreenProgram();
}
