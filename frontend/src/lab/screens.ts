/** The terminals of a lab: a tab and a screen for each; one of them is shown, or two beside or below each other. And panels of other parts. */
import { t } from "../i18n";
import { element } from "../element";
import { recall, remember } from "../preferences";
import type { MenuItem } from "../terminal/menu";
import type { TerminalView, ViewEvents } from "../terminal/view";
import type { LabTerminal } from "./api";
import { panelTab, startTabs, tabOf } from "./tabs";

export interface ScreenEvents {
  connected(): void;
  lost(): void;
  exited(number: number, status: number): void;
  refused: ViewEvents["refused"];
  tell: ViewEvents["tell"];
  pasting(bytes: number, cancel: () => void): void;
  leave(): void;
  restart(number: number): void;
  rename(number: number, title: string): void;
  close(number: number): void;
  more(number: number): (MenuItem | null)[];
}

export type Split = "none" | "row" | "column";

const SPLIT = "terminal-split";

interface Screen {
  view: TerminalView;
  cell: HTMLElement;
  tab: HTMLElement;
  shell: number;
  title: string;
}

interface Panel {
  cell: HTMLElement;
  tab: HTMLElement;
  close(): void;
}

export class Screens {
  private readonly screens = new Map<number, Screen>();
  private readonly panels = new Map<string, Panel>();
  /** The panel that is shown over the terminals, or "". */
  private panel = "";
  private active = 0;
  /** The numbers that are seen, in the order of their places. */
  private seen: number[] = [];
  private direction: Split = readSplit();

  constructor(
    private readonly tabs: HTMLElement,
    private readonly body: HTMLElement,
    private readonly events: ScreenEvents,
  ) {
    startTabs(tabs, {
      show: (number) => this.show(number),
      focus: (number) => this.focus(number),
      rename: (number, title) => events.rename(number, title),
      close: (number) => events.close(number),
      select: (id) => this.select(id),
      closePanel: (id) => this.panels.get(id)?.close(),
    });
  }

  get current(): TerminalView | null {
    return this.screens.get(this.active)?.view ?? null;
  }

  get count(): number {
    return this.screens.size;
  }

  get split(): Split {
    return this.direction;
  }

  title(number: number): string {
    return this.screens.get(number)?.title ?? t("Terminal {number}", { number });
  }

  /** Brings the terminal shown last back to the front. */
  raise(): TerminalView | null {
    this.show(this.active);
    return this.current;
  }

  view(number: number): TerminalView | null {
    return this.screens.get(number)?.view ?? null;
  }

  /** Brings tabs and screens to what the lab has now. */
  open(terminals: LabTerminal[], View: typeof TerminalView): void {
    const listed = new Map(terminals.map((terminal) => [terminal.number, terminal]));
    for (const number of [...this.screens.keys()]) if (!listed.has(number)) this.remove(number);
    for (const terminal of terminals) {
      const screen = this.screens.get(terminal.number);
      if (!screen) this.add(terminal, View);
      else this.update(screen, terminal);
    }
    if (!this.screens.has(this.active)) this.show(terminals[0]?.number ?? 0);
    else this.lay();
  }

  show(number: number): void {
    if (!this.screens.has(number)) return;
    const at = this.seen.indexOf(this.active);
    if (!this.seen.includes(number)) this.seen.splice(Math.max(0, at), at < 0 ? 0 : 1, number);
    this.active = number;
    this.panel = "";
    this.lay();
  }

  /** Two terminals beside ("row") or below each other ("column"), or one. The second is the shown one's neighbour. */
  setSplit(split: Split): void {
    this.direction = split;
    remember(SPLIT, split);
    this.lay();
    this.current?.focus();
  }

  /** To the next (1) or previous (-1) terminal, with the focus. */
  turn(step: -1 | 1): void {
    const numbers = this.numbers();
    const to = numbers[(numbers.indexOf(this.active) + step + numbers.length) % numbers.length];
    if (to === undefined) return;
    this.show(to);
    this.current?.focus();
  }

  focus(number: number): void {
    this.show(number);
    this.current?.focus();
  }

  /** A screen that is no terminal, with a tab of its own. It has the whole place while it is shown. */
  addPanel(id: string, title: string, content: HTMLElement, close: () => void): void {
    const tab = panelTab(id, title);
    this.tabs.append(tab);
    const cell = element("div", { class: "screen panel", role: "tabpanel", id: `screen-${id}`, "aria-labelledby": tab.id }, content);
    this.body.append(cell);
    this.panels.set(id, { cell, tab, close });
    this.lay();
  }

  removePanel(id: string): void {
    const panel = this.panels.get(id);
    panel?.cell.remove();
    panel?.tab.remove();
    this.panels.delete(id);
    this.raise()?.focus();
  }

  select(id: string): void {
    if (!this.panels.has(id)) return;
    this.panel = id;
    this.lay();
  }

  fit(): void {
    for (const number of this.seen) this.view(number)?.fit();
  }

  clear(): void {
    for (const { view } of this.screens.values()) view.dispose();
    this.screens.clear();
    this.panels.clear();
    this.panel = "";
    this.active = 0;
    this.seen = [];
    this.body.replaceChildren();
    delete this.body.dataset.split;
    this.tabs.removeAttribute("role");
    this.tabs.replaceChildren(element("span", { class: "placeholder" }, t("Terminal")));
  }

  private numbers(): number[] {
    return [...this.screens.keys()].sort((a, b) => a - b);
  }

  /** Shows the terminals that are to be seen, and marks the active one. */
  private lay(): void {
    const numbers = this.numbers();
    this.seen = this.seen.filter((number) => this.screens.has(number));
    const places = this.direction === "none" ? 1 : Math.min(2, numbers.length);
    if (places === 1) this.seen = [this.active];
    if (this.seen.length < places) {
      const next = numbers.find((number) => number > this.active);
      // The last one gets the one before it on its other side.
      if (next !== undefined) this.seen.push(next);
      else this.seen.unshift(...numbers.slice(-2, -1));
    }
    this.body.dataset.split = places === 1 || this.panel ? "none" : this.direction;
    for (const [number, { cell, tab }] of this.screens) {
      const place = this.panel ? -1 : this.seen.indexOf(number);
      cell.style.order = String(place);
      mark(cell, tab, place >= 0, !this.panel && number === this.active);
    }
    for (const [id, { cell, tab }] of this.panels) mark(cell, tab, id === this.panel, id === this.panel);
    const shown = this.panel ? this.panels.get(this.panel) : this.screens.get(this.active);
    shown?.tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (!this.panel) this.fit();
  }

  private add(terminal: LabTerminal, View: typeof TerminalView): void {
    const { number, title } = terminal;
    const tab = tabOf(number, title);
    this.tabs.querySelector(".placeholder")?.remove();
    this.tabs.setAttribute("role", "tablist");
    const after = [...this.tabs.querySelectorAll<HTMLElement>("[role=tab]")].find(
      (other) => other.dataset.panel !== undefined || Number(other.dataset.number) > number,
    );
    this.tabs.insertBefore(tab, after ?? null);
    const host = element("div", { class: "screen-box" });
    const cell = element("div", { class: "screen", role: "tabpanel", id: `screen-${number}`, "aria-labelledby": tab.id, "data-number": `${number}` }, host);
    cell.addEventListener("focusin", () => {
      if (this.active !== number && this.seen.includes(number)) this.show(number);
    });
    this.body.append(cell);
    const { events } = this;
    const view: TerminalView = new View(host, terminal.path, title, {
      connected: () => events.connected(),
      lost: () => events.lost(),
      refused: (refusal) => events.refused(refusal),
      tell: (text, action) => events.tell(text, action),
      leave: () => events.leave(),
      exited: (status) => events.exited(number, status),
      pasting: (bytes) => events.pasting(bytes, () => view.cancelPaste()),
      turn: (step) => this.turn(step),
      restart: () => events.restart(number),
      more: () => events.more(number),
    });
    this.screens.set(number, { view, cell, tab, shell: terminal.shell, title });
  }

  private update(screen: Screen, terminal: LabTerminal): void {
    if (screen.shell !== terminal.shell) {
      screen.shell = terminal.shell;
      screen.view.resume();
    }
    if (screen.title !== terminal.title) {
      screen.title = terminal.title;
      screen.view.name(terminal.title);
      const name = screen.tab.querySelector(".name");
      if (name) name.textContent = terminal.title;
    }
  }

  private remove(number: number): void {
    const screen = this.screens.get(number);
    if (!screen) return;
    const hadFocus = screen.cell.contains(document.activeElement) || screen.tab.contains(document.activeElement);
    screen.view.dispose();
    screen.cell.remove();
    screen.tab.remove();
    this.screens.delete(number);
    this.seen = this.seen.filter((other) => other !== number);
    if (this.active !== number) return;
    const numbers = this.numbers();
    this.active = this.seen[0] ?? numbers.findLast((other) => other < number) ?? numbers[0] ?? 0;
    this.lay();
    if (hadFocus) this.current?.focus();
  }
}

function mark(cell: HTMLElement, tab: HTMLElement, seen: boolean, active: boolean): void {
  cell.classList.toggle("seen", seen);
  cell.classList.toggle("active", active);
  tab.classList.toggle("seen", seen);
  tab.setAttribute("aria-selected", String(active));
  tab.tabIndex = active ? 0 : -1;
}

function readSplit(): Split {
  const stored = recall(SPLIT);
  return stored === "row" || stored === "column" ? stored : "none";
}
