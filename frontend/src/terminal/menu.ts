/** The terminal's context menu. Shift + right click leaves the browser's own. */
import { t } from "../i18n";
import { element } from "../element";

export interface MenuItem {
  label: string;
  hint?: string;
  /** Why it cannot be used now. */
  disabled?: string;
  checked?: boolean;
  /** One of several of which one is chosen. */
  radio?: boolean;
  act(): void;
}

export function openMenu(x: number, y: number, items: (MenuItem | null)[], closed: () => void, label = t("Terminal")): void {
  const menu = element("div", { class: "term-menu", role: "menu", "aria-label": label, tabindex: "-1" });
  for (const item of items) menu.append(item ? entry(item, close) : element("hr"));
  document.body.append(menu);
  menu.style.maxHeight = `${innerHeight - 8}px`;
  menu.style.left = `${Math.max(4, Math.min(x, innerWidth - menu.offsetWidth - 4))}px`;
  menu.style.top = `${Math.max(4, Math.min(y, innerHeight - menu.offsetHeight - 4))}px`;
  const buttons = [...menu.querySelectorAll<HTMLButtonElement>("button")];
  buttons.find((button) => !button.hasAttribute("aria-disabled"))?.focus();

  const outside = (event: Event): void => {
    if (!menu.contains(event.target as Node)) close();
  };
  document.addEventListener("pointerdown", outside, true);
  window.addEventListener("blur", close);
  window.addEventListener("resize", close);
  menu.addEventListener("contextmenu", (event) => event.preventDefault());
  menu.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + buttons.length, Home: 0, End: buttons.length - 1 }[event.key];
    if (to !== undefined) buttons[to % buttons.length]?.focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
  });

  function close(): void {
    if (!menu.isConnected) return;
    menu.remove();
    document.removeEventListener("pointerdown", outside, true);
    window.removeEventListener("blur", close);
    window.removeEventListener("resize", close);
    closed();
  }
}

/** The menu of a button, below it. The focus goes back to the button. */
export function openMenuOf(button: HTMLElement, items: (MenuItem | null)[]): void {
  const box = button.getBoundingClientRect();
  button.setAttribute("aria-expanded", "true");
  openMenu(box.left, box.bottom + 2, items, () => {
    button.setAttribute("aria-expanded", "false");
    button.focus();
  });
}

function entry(item: MenuItem, close: () => void): HTMLButtonElement {
  const checkable = item.checked !== undefined;
  const role = item.radio ? "menuitemradio" : checkable ? "menuitemcheckbox" : "menuitem";
  const button = element("button", { type: "button", role }, item.label);
  if (checkable) button.setAttribute("aria-checked", String(item.checked));
  const hint = item.radio ? (item.checked ? "✓" : "") : checkable ? (item.checked ? t("on") : t("off")) : item.hint;
  if (hint) button.append(element("span", { class: "keys-hint" }, hint));
  if (item.disabled) {
    button.setAttribute("aria-disabled", "true");
    button.title = item.disabled;
  }
  button.addEventListener("click", () => {
    if (item.disabled) return;
    close();
    item.act();
  });
  return button;
}
