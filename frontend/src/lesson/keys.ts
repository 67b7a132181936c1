/** The lesson page's own keys, and the list of them that `?` shows. */
import { element } from "../element";
import { t } from "../i18n";

export interface Actions {
  focusTerminal(): void;
  focusText(): void;
  toggleFull(): void;
}

const KEYS: [string, string][] = [
  ["?", t("Show these keys")],
  ["F6", t("From text to terminal and back. In a full-screen program: Ctrl+Shift+F6")],
  ["n", t("Next lesson")],
  ["p", t("Previous lesson")],
  ["f", t("Terminal in full screen, and back")],
  ["Ctrl+Shift+F", t("In the terminal: find")],
  ["Ctrl+Shift+← →", t("In the terminal: to the previous or next terminal")],
  ["Ctrl+Alt++, Ctrl+Alt+-, Ctrl+Alt+0", t("In the terminal: larger, smaller or usual text")],
  ["F2, Delete", t("On a terminal's tab: rename it, close it. Arrows go to the next one")],
  ["← →", t("On the divider: move it. Enter puts it back")],
  ["Ctrl+C", t("In the terminal: copy what is selected; without a selection, interrupt")],
  ["Ctrl+Shift+C", t("In the terminal: copy")],
  ["Ctrl+V, Ctrl+Shift+V", t("In the terminal: paste")],
  [t("Middle click"), t("In the terminal: paste the selection")],
  [t("Right click"), t("In the terminal: menu. With Shift: the browser's own")],
  ["Tab, Esc", t("In the terminal they belong to the shell")],
  ["Ctrl+S", t("In the editor: save")],
  [t("Esc then Tab"), t("In the editor, where Tab indents: leave it")],
  ["F2, Delete", t("In the list of files: rename, delete")],
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
  const box = element("dialog", { "aria-labelledby": "keys-title" }, element("h2", { id: "keys-title" }, t("Keys")), list);
  const close = element("button", { type: "button", class: "button primary" }, t("Close"));
  close.addEventListener("click", () => box.close());
  box.append(element("div", { class: "actions" }, close));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  close.focus();
}
