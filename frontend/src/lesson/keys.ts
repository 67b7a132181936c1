/** The lesson page's own keys, and the list of them that `?` shows. */
import { element } from "../element";

export interface Actions {
  focusTerminal(): void;
  focusText(): void;
  toggleFull(): void;
}

const KEYS: [string, string][] = [
  ["?", "Show these keys"],
  ["F6", "From text to terminal and back. In a full-screen program: Ctrl+Shift+F6"],
  ["n", "Next lesson"],
  ["p", "Previous lesson"],
  ["f", "Terminal in full screen, and back"],
  ["← →", "On the divider: move it. Enter puts it back"],
  ["Ctrl+C", "In the terminal: copy what is selected; without a selection, interrupt"],
  ["Ctrl+Shift+C", "In the terminal: copy"],
  ["Ctrl+V, Ctrl+Shift+V", "In the terminal: paste"],
  ["Middle click", "In the terminal: paste the selection"],
  ["Right click", "In the terminal: menu. With Shift: the browser's own"],
  ["Tab, Esc", "In the terminal they belong to the shell"],
];

export function startKeys(actions: Actions): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.key === "F6" && !event.altKey && !event.metaKey) {
      event.preventDefault();
      actions.focusTerminal();
      return;
    }
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
    const act: Record<string, () => void> = {
      "?": showKeys,
      n: () => follow("next"),
      p: () => follow("prev"),
      f: actions.toggleFull,
    };
    act[event.key]?.();
  });
  document.addEventListener("leaveterminal", actions.focusText);
  document.querySelector(".show-keys")?.addEventListener("click", showKeys);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable], .screen") !== null;
}

function follow(rel: "next" | "prev"): void {
  document.querySelector<HTMLAnchorElement>(`.turn a[rel=${rel}]`)?.click();
}

function showKeys(): void {
  const list = element("dl", { class: "key-list" });
  for (const [keys, meaning] of KEYS) {
    const names = keys.split(", ");
    const term = element("dt");
    names.forEach((name) => term.append(element("kbd", {}, name), " "));
    list.append(term, element("dd", {}, meaning));
  }
  const box = element("dialog", { "aria-labelledby": "keys-title" }, element("h2", { id: "keys-title" }, "Keys"), list);
  const close = element("button", { type: "button", class: "button primary" }, "Close");
  close.addEventListener("click", () => box.close());
  box.append(element("div", { class: "actions" }, close));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  close.focus();
}
