/** The tabs of the terminals as ARIA's tabs pattern has them: one stop for Tab, arrows between them, F2 to rename, Delete to close. */
import { t } from "../i18n";
import { element } from "../element";

export interface TabEvents {
  show(number: number): void;
  focus(number: number): void;
  rename(number: number, title: string): void;
  close(number: number): void;
  /** Of the tabs that are no terminal's. */
  select(id: string): void;
  closePanel(id: string): void;
}

const LONGEST_NAME = 40;

export function tabOf(number: number, title: string): HTMLElement {
  return element(
    "button",
    {
      type: "button",
      role: "tab",
      id: `tab-${number}`,
      "aria-controls": `screen-${number}`,
      "aria-keyshortcuts": "F2 Delete",
      "data-number": `${number}`,
      title: t("Double click or F2: rename. Delete: close"),
    },
    element("span", { class: "name" }, title),
    // A tab may hold nothing that takes the focus: keys and the menu do the same.
    element("span", { class: "tab-close", "aria-hidden": "true" }, "×"),
  );
}

/** The tab of a screen that is no terminal. */
export function panelTab(id: string, title: string): HTMLElement {
  const goes = { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `screen-${id}`, "aria-keyshortcuts": "Delete", "data-panel": id };
  return element("button", { ...goes, title: t("Delete: close") }, element("span", { class: "name" }, title), element("span", { class: "tab-close", "aria-hidden": "true" }, "×"));
}

export function startTabs(tabs: HTMLElement, events: TabEvents): void {
  const tabAt = (event: Event): HTMLElement | null => (event.target as Element).closest<HTMLElement>("[role=tab]");
  const numberOf = (tab: HTMLElement): number => Number(tab.dataset.number);
  const show = (tab: HTMLElement): void => (tab.dataset.panel ? events.select(tab.dataset.panel) : events.show(numberOf(tab)));
  const focus = (tab: HTMLElement): void => (tab.dataset.panel ? events.select(tab.dataset.panel) : events.focus(numberOf(tab)));
  const close = (tab: HTMLElement): void => (tab.dataset.panel ? events.closePanel(tab.dataset.panel) : events.close(numberOf(tab)));
  const rename = (tab: HTMLElement): void => {
    if (!tab.dataset.panel) edit(tab, (title) => events.rename(numberOf(tab), title));
  };

  tabs.addEventListener("click", (event) => {
    const tab = tabAt(event);
    if (!tab) return;
    if ((event.target as Element).matches(".tab-close")) close(tab);
    else focus(tab);
  });
  tabs.addEventListener("auxclick", (event) => {
    const tab = tabAt(event);
    if (tab && event.button === 1) close(tab);
  });
  tabs.addEventListener("dblclick", (event) => {
    const tab = tabAt(event);
    if (tab) rename(tab);
  });
  tabs.addEventListener("keydown", (event) => {
    const tab = tabAt(event);
    if (!tab || event.ctrlKey || event.altKey || event.metaKey) return;
    const all = [...tabs.querySelectorAll<HTMLElement>("[role=tab]")];
    const at = all.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      const next = all[to % all.length];
      if (next) {
        show(next);
        next.focus();
      }
    } else if (event.key === "F2") rename(tab);
    else if (event.key === "Delete") close(tab);
    else return;
    event.preventDefault();
  });
}

/** Asks for the tab's name in its place. Enter and leaving keep it, Escape does not; an empty one is the number again. */
export function edit(tab: HTMLElement, named: (title: string) => void): void {
  const name = tab.querySelector(".name")?.textContent ?? "";
  const input = element("input", { class: "tab-name", "aria-label": t("Name of the terminal"), maxlength: `${LONGEST_NAME}`, value: name, spellcheck: "false" });
  input.style.width = `${Math.max(tab.offsetWidth, 120)}px`;
  let over = false;
  const finish = (keep: boolean): void => {
    if (over) return;
    over = true;
    const focused = document.activeElement === input;
    input.remove();
    tab.hidden = false;
    if (focused) tab.focus();
    if (keep && input.value.trim() !== name) named(input.value.trim());
  };
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Enter" && event.key !== "Escape") return;
    // Or the tab, which has the focus now, would be pressed by the same key.
    event.preventDefault();
    finish(event.key === "Enter");
  });
  input.addEventListener("blur", () => finish(true));
  tab.hidden = true;
  tab.before(input);
  input.focus();
  input.select();
}
