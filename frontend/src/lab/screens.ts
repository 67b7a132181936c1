/** The terminals of a lab: a tab and a screen for each, one of them shown. */
import { element } from "../element";
import type { TerminalView, ViewEvents } from "../terminal/view";
import type { LabTerminal } from "./api";

export type ScreenEvents = Omit<ViewEvents, "pasting"> & { pasting(bytes: number, cancel: () => void): void };

export class Screens {
  private readonly views = new Map<number, TerminalView>();
  private active = 0;

  constructor(
    private readonly tabs: HTMLElement,
    private readonly body: HTMLElement,
    private readonly events: ScreenEvents,
  ) {}

  get current(): TerminalView | null {
    return this.views.get(this.active) ?? null;
  }

  /** The terminal of that number, or the shown one where the lab has none of it. */
  view(number: number): TerminalView | null {
    return this.views.get(number) ?? this.current;
  }

  open(terminals: LabTerminal[], View: typeof TerminalView): void {
    for (const terminal of terminals) {
      if (!this.views.has(terminal.number)) this.add(terminal, View);
    }
    if (!this.views.has(this.active)) this.show(terminals[0]?.number ?? 0);
  }

  show(number: number): void {
    if (!this.views.has(number)) return;
    this.active = number;
    for (const screen of this.body.querySelectorAll<HTMLElement>(".screen")) {
      screen.classList.toggle("active", screen.dataset.number === String(number));
    }
    for (const tab of this.tabs.querySelectorAll<HTMLElement>("[role=tab]")) {
      const chosen = tab.dataset.number === String(number);
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    this.current?.fit();
  }

  clear(): void {
    for (const view of this.views.values()) view.dispose();
    this.views.clear();
    this.active = 0;
    this.body.replaceChildren();
    this.tabs.removeAttribute("role");
    this.tabs.replaceChildren(element("span", { class: "placeholder" }, "Terminal"));
  }

  private add(terminal: LabTerminal, View: typeof TerminalView): void {
    const { number, title } = terminal;
    const panel = `screen-${number}`;
    const tab = element("button", { type: "button", role: "tab", "aria-controls": panel, "data-number": `${number}`, id: `tab-${number}` }, title);
    tab.addEventListener("click", () => {
      this.show(number);
      this.current?.focus();
    });
    tab.addEventListener("keydown", (event) => this.moveTab(event, number));
    this.tabs.querySelector(".placeholder")?.remove();
    this.tabs.setAttribute("role", "tablist");
    this.tabs.append(tab);
    const screen = element("div", { class: "screen", role: "tabpanel", id: panel, "aria-labelledby": tab.id, "data-number": `${number}` });
    this.body.append(screen);
    const view: TerminalView = new View(screen, terminal.path, title, {
      ...this.events,
      pasting: (bytes) => this.events.pasting(bytes, () => view.cancelPaste()),
    });
    this.views.set(number, view);
  }

  private moveTab(event: KeyboardEvent, from: number): void {
    const numbers = [...this.views.keys()];
    const at = numbers.indexOf(from);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + numbers.length, Home: 0, End: numbers.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const number = numbers[to % numbers.length] ?? from;
    this.show(number);
    this.tabs.querySelector<HTMLElement>(`[data-number="${number}"]`)?.focus();
  }
}
