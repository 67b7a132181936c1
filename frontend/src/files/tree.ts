/** The tree of a machine's files: WAI-ARIA's tree pattern, with one row in the order of Tab. Folders are read when they are opened. */
import { language, t } from "../i18n";
import { exact, size } from "../clock";
import { element } from "../element";
import type { Entry, Folder, Kind } from "./api";
import { HOME, join, parent, shown, within } from "./names";

export interface Row {
  path: string;
  label: string;
  kind: Kind;
}

interface Node extends Row {
  level: number;
  hint: string;
  /** Null until it has been read. */
  children: Node[] | null;
  /** What is to be said of a folder instead of, or after, its entries. */
  note: string;
  open: boolean;
}

export interface TreeEvents {
  read(path: string): Promise<Folder>;
  file(row: Row): void;
  rename(row: Row): void;
  delete(row: Row): void;
  menu(row: Row, x: number, y: number): void;
  /** Words for a folder that cannot be read. */
  refused(error: unknown): string;
}

const folderOf = (row: Row): string => (row.kind === "folder" ? row.path : parent(row.path));

export class Tree {
  private readonly roots: Node[] = [
    { path: HOME, label: t("Home"), kind: "folder", level: 1, hint: HOME, children: null, note: "", open: true },
    { path: "/", label: t("Whole machine"), kind: "folder", level: 1, hint: "/", children: null, note: "", open: false },
  ];
  /** The row that is chosen. A folder may stand in the tree twice, so it is known by its row, not by its path. */
  private chosen: Node = this.roots[0] as Node;
  private rows: Node[] = [];
  private typed = "";
  private typedAt = 0;

  constructor(
    private readonly box: HTMLElement,
    private readonly events: TreeEvents,
  ) {
    box.addEventListener("click", (event) => this.click(event));
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("contextmenu", (event) => {
      const node = this.at(event.target);
      if (!node || event.shiftKey) return;
      event.preventDefault();
      this.choose(node);
      this.events.menu(node, event.clientX, event.clientY);
    });
    this.draw();
  }

  get row(): Row {
    return this.chosen;
  }

  /** Home and the whole machine: where the tree begins. */
  isRoot(row: Row): boolean {
    return this.roots.some((root) => root === row);
  }

  /** The folder that something new goes into. */
  get folder(): string {
    return folderOf(this.chosen);
  }

  /** The folder under the mouse, for what is dropped there. */
  folderAt(target: EventTarget | null): string {
    return folderOf(this.at(target) ?? this.chosen);
  }

  mark(target: EventTarget | null): void {
    const path = target === null ? null : this.folderAt(target);
    for (const row of this.box.querySelectorAll<HTMLElement>("[data-row]")) {
      const node = this.rows[Number(row.dataset.row)];
      row.classList.toggle("drop", node !== undefined && node.kind === "folder" && node.path === path);
    }
  }

  focus(): void {
    this.element(this.chosen)?.focus();
  }

  /** Read anew what is open, in `folder` alone where it is given. */
  async refresh(folder?: string): Promise<void> {
    const open = (nodes: Node[]): Node[] => nodes.flatMap((node) => (node.open && node.kind === "folder" ? [node, ...open(node.children ?? [])] : []));
    for (const node of open(this.roots)) {
      if (folder === undefined || node.path === folder) await this.load(node);
    }
  }

  /** Open and read a folder, and choose the entry of that path. */
  async show(path: string): Promise<void> {
    const folder = this.rows.find((node) => node.path === parent(path));
    if (folder?.kind === "folder") folder.open = true;
    await this.refresh(parent(path));
    const found = this.rows.find((node) => node.path === path && node.level > 1);
    if (found) this.choose(found, false);
  }

  private async load(node: Node): Promise<void> {
    const before = new Map((node.children ?? []).map((child) => [child.path, child]));
    this.busy(node, true);
    try {
      const { entries, total, counted } = await this.events.read(node.path);
      node.children = entries.map((entry) => this.node(entry, node, before.get(join(node.path, entry.name))));
      const left = total - entries.length;
      node.note = "";
      if (total === 0) node.note = t("Empty");
      else if (left > 0) {
        const counts = { shown: entries.length.toLocaleString(language), all: total.toLocaleString(language) };
        node.note = counted
          ? t("{shown} of {all} shown. ls in the terminal shows all.", counts)
          : t("{shown} of over {all} shown. ls in the terminal shows all.", counts);
      }
    } catch (error) {
      node.children = [];
      node.note = this.events.refused(error);
    }
    this.busy(node, false);
    this.draw();
  }

  private node(entry: Entry, folder: Node, before: Node | undefined): Node {
    const path = join(folder.path, entry.name);
    const changed = exact(new Date(entry.modified * 1000).toISOString());
    const what = { folder: t("Folder"), file: size(entry.size), other: t("Device, socket or pipe"), broken: t("Link that leads nowhere") }[entry.kind];
    const byLink = entry.link && entry.kind !== "broken";
    const hint = byLink ? t("{what}, by a link, changed {time}", { what, time: changed }) : t("{what}, changed {time}", { what, time: changed });
    const kept = before?.kind === entry.kind ? before : undefined;
    return Object.assign(kept ?? { children: null, note: "", open: false }, {
      path, label: shown(entry.name), kind: entry.kind, level: folder.level + 1, hint,
    }) as Node; // prettier-ignore
  }

  private busy(node: Node, busy: boolean): void {
    this.element(node)?.setAttribute("aria-busy", String(busy));
  }

  private draw(): void {
    const focused = this.box.contains(document.activeElement);
    this.rows = [];
    const lines: HTMLElement[] = [];
    const add = (nodes: Node[]): void => {
      nodes.forEach((node, index) => {
        lines.push(this.line(node, index + 1, nodes.length));
        if (!node.open || node.children === null) return;
        add(node.children);
        if (node.note) lines.push(element("div", { class: "note", style: `--level: ${node.level + 1}` }, node.note));
      });
    };
    add(this.roots);
    if (!this.rows.includes(this.chosen)) this.chosen = this.rows.find((node) => node.path === parent(this.chosen.path)) ?? (this.roots[0] as Node);
    this.box.replaceChildren(...lines);
    this.choose(this.chosen, focused);
  }

  private line(node: Node, place: number, of: number): HTMLElement {
    const line = element(
      "div",
      {
        role: "treeitem", class: `row ${node.kind}`, tabindex: "-1", title: node.hint, style: `--level: ${node.level}`,
        "aria-level": `${node.level}`, "aria-posinset": `${place}`, "aria-setsize": `${of}`, "aria-selected": "false", "data-row": `${this.rows.length}`,
      }, // prettier-ignore
      element("span", { class: "name" }, node.label),
    );
    if (node.kind === "folder") line.setAttribute("aria-expanded", String(node.open));
    this.rows.push(node);
    return line;
  }

  private element(node: Node): HTMLElement | null {
    return this.box.querySelector(`[data-row="${this.rows.indexOf(node)}"]`);
  }

  private at(target: EventTarget | null): Node | undefined {
    const line = target instanceof Element ? target.closest<HTMLElement>("[data-row]") : null;
    return line ? this.rows[Number(line.dataset.row)] : undefined;
  }

  private choose(node: Node, focus = true): void {
    this.chosen = node;
    for (const line of this.box.querySelectorAll<HTMLElement>("[aria-selected=true]")) {
      line.setAttribute("aria-selected", "false");
      line.tabIndex = -1;
    }
    const line = this.element(node);
    if (!line) return;
    line.setAttribute("aria-selected", "true");
    line.tabIndex = 0;
    if (focus) line.focus();
    else line.scrollIntoView({ block: "nearest" });
  }

  private toggle(node: Node, open = !node.open): void {
    node.open = open;
    this.draw();
    if (open) void this.load(node);
  }

  private click(event: MouseEvent): void {
    const node = this.at(event.target);
    if (!node) return;
    this.choose(node);
    this.act(node);
  }

  private act(node: Node): void {
    if (node.kind === "folder") this.toggle(node);
    else this.events.file(node);
  }

  private key(event: KeyboardEvent): void {
    const node = this.chosen;
    const at = this.rows.indexOf(node);
    const opens = node.kind === "folder";
    const go = (to: Node | undefined): void => {
      if (to) this.choose(to);
    };
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(this.rows[at + 1]),
      ArrowUp: () => go(this.rows[at - 1]),
      Home: () => go(this.rows[0]),
      End: () => go(this.rows.at(-1)),
      ArrowRight: () => (opens && !node.open ? this.toggle(node, true) : go(this.rows[at + 1]?.level === node.level + 1 ? this.rows[at + 1] : undefined)),
      ArrowLeft: () => (opens && node.open ? this.toggle(node, false) : go(this.rows.slice(0, at).findLast((row) => row.level < node.level))),
      Enter: () => this.act(node),
      " ": () => this.act(node),
      F2: () => this.events.rename(node),
      Delete: () => this.events.delete(node),
    };
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (act) act();
    else if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return;
    else this.type(event.key, at);
    event.preventDefault();
    // The page's own keys are letters too.
    event.stopPropagation();
  }

  /** Letters go to the next name that begins with them. */
  private type(letter: string, at: number): void {
    this.typed = performance.now() - this.typedAt < 700 ? this.typed + letter.toLowerCase() : letter.toLowerCase();
    this.typedAt = performance.now();
    const from = this.typed.length > 1 ? at : at + 1;
    const found = [...this.rows.slice(from), ...this.rows.slice(0, from)].find((row) => row.label.toLowerCase().startsWith(this.typed));
    if (found) this.choose(found);
  }

  /** Whether something of that path is in an open folder: then it is worth reading it again. */
  shows(path: string): boolean {
    return this.rows.some((node) => node.open && within(path, node.path));
  }
}
