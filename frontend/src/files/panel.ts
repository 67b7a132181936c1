/** The files of the lab's machine: a tree, an editor with a tab for each open file, and what can be done to them. */
import { t } from "../i18n";
import { size } from "../clock";
import { ask } from "../dialog";
import { element } from "../element";
import { LabError } from "../lab/api";
import { button } from "../lab/cards";
import { openMenu } from "../terminal/menu";
import { Files, UPLOAD_MAX } from "./api";
import { askName } from "./ask_name";
import type { Doc, Editor } from "./editor";
import { startHeight } from "./height";
import { base, decodeName, encodeName, encodePath, join, parent, shown, within } from "./names";
import { type Row, Tree } from "./tree";

const NO_MACHINE = new LabError("not-running", t("The machine is not running"), t("Start it to see its files."));

export class FilesPanel {
  private readonly tree: Tree;
  private readonly docs: Doc[] = [];
  private current: Doc | null = null;
  private editor: Editor | null = null;
  private saving = false;
  private uploading: AbortController | null = null;
  private lab: string | null;

  constructor(
    private readonly host: HTMLElement,
    private readonly machine: () => string | null,
    private readonly announce: (text: string) => void,
  ) {
    this.lab = machine();
    this.tree = new Tree(this.part("files-tree"), {
      read: (path) => this.files.folder(path),
      file: (row) => void this.open(row.path),
      rename: (row) => void this.rename(row),
      delete: (row) => void this.delete(row),
      menu: (row, x, y) => this.menu(row, x, y),
      refused: (error) => this.words(error),
    });
    startHeight(host, this.part("files-divider"));
    for (const button of host.querySelectorAll<HTMLButtonElement>("[data-do]")) {
      button.addEventListener("click", () => void this.act(button.dataset.do ?? ""));
    }
    this.part("files-save").addEventListener("click", () => void this.save());
    this.part("files-close").addEventListener("click", () => {
      if (this.current) void this.close(this.current);
    });
    this.part("files-back").addEventListener("click", () => {
      host.classList.remove("editing");
      this.tree.focus();
    });
    this.takeDrops();
    window.addEventListener("beforeunload", (event) => {
      if (this.unsaved) event.preventDefault();
    });
  }

  get unsaved(): boolean {
    return this.docs.some((doc) => doc.changed);
  }

  /** The panel has been opened by its button. */
  opened(): void {
    void this.tree.refresh();
    this.tree.focus();
  }

  /** Another machine, or the same one again: what is shown may be out of date. */
  machineChanged(): void {
    if (this.machine() === this.lab) return;
    this.lab = this.machine();
    for (const doc of this.docs.filter((open) => !open.changed)) this.forget(doc);
    if (!this.host.hidden) void this.tree.refresh();
  }

  /** A path as people write it. */
  async openPath(path: string): Promise<void> {
    void this.tree.refresh();
    await this.open(encodePath(path), t("{path} is not there yet. Press Write file first.", { path }));
  }

  private get files(): Files {
    const lab = this.machine();
    if (lab === null) throw NO_MACHINE;
    return new Files(lab);
  }

  private part<T extends HTMLElement = HTMLElement>(name: string): T {
    return this.host.querySelector(`.${name}`) as T;
  }

  private async act(what: string): Promise<void> {
    const row = this.tree.row;
    switch (what) {
      case "file":
        return this.makeFile(this.tree.folder);
      case "folder":
        return this.makeFolder(this.tree.folder);
      case "upload":
        return this.chooseUploads(this.tree.folder);
      case "download":
        return this.download(row);
      case "rename":
        return this.rename(row);
      case "delete":
        return this.delete(row);
      case "refresh":
        await this.tree.refresh();
        this.announce(t("Files refreshed"));
    }
  }

  private menu(row: Row, x: number, y: number): void {
    const { folder } = this.tree;
    openMenu(
      x,
      y,
      [
        ...(row.kind === "folder" ? [] : [{ label: t("Open"), act: () => void this.open(row.path) }]),
        { label: t("New file"), act: () => void this.makeFile(folder) },
        { label: t("New folder"), act: () => void this.makeFolder(folder) },
        { label: t("Upload"), act: () => void this.chooseUploads(folder) },
        { label: row.kind === "folder" ? t("Download as tar") : t("Download"), act: () => void this.download(row) },
        null,
        { label: t("Rename"), hint: "F2", act: () => void this.rename(row) },
        { label: t("Delete"), hint: "Del", act: () => void this.delete(row) },
      ],
      () => this.tree.focus(),
      t("Files"),
    );
  }

  // Open, save, close

  private async open(path: string, missing?: string): Promise<void> {
    const open = this.docs.find((doc) => doc.path === path);
    if (open?.changed) return this.show(open);
    try {
      const [{ text, tag }, editor] = await Promise.all([this.files.read(path), this.loadEditor()]);
      const doc = this.docs.find((other) => other.path === path) ?? editor.make(path, shown(base(path)), text, tag);
      if (!this.docs.includes(doc)) this.docs.push(doc);
      else if (doc.tag !== tag && !doc.changed) doc.take(text, tag);
      this.quiet();
      this.show(doc);
    } catch (error) {
      const code = error instanceof LabError ? error.code : "";
      if (code === "gone" && missing) return this.tell(missing);
      const download = ["binary", "not-utf-8", "too-large-to-edit"].includes(code);
      this.tell(this.words(error), download ? [[t("Download"), () => void this.download({ path, label: "", kind: "file" })]] : []);
    }
  }

  private async loadEditor(): Promise<Editor> {
    const { Editor } = await import("./editor");
    this.editor ??= new Editor(this.part("files-editor"), { changed: () => this.drawTabs(), save: () => void this.save() });
    return this.editor;
  }

  private show(doc: Doc, focus = true): void {
    this.current = doc;
    this.part("files-editor").hidden = false;
    this.part("files-none").hidden = true;
    this.host.classList.add("editing");
    this.editor?.show(doc);
    this.drawTabs();
    if (focus) this.editor?.focus();
  }

  private async save(expected?: string): Promise<void> {
    const doc = this.current;
    if (!doc || this.saving || (!doc.changed && !expected)) return;
    this.saving = true;
    this.drawTabs();
    const sent = doc.state.doc;
    try {
      const { tag } = await this.files.save(doc.path, expected ?? doc.tag, doc.text);
      doc.kept(sent, tag);
      this.quiet();
      this.announce(t("{name} saved", { name: doc.name }));
      if (this.tree.shows(doc.path)) void this.tree.refresh(parent(doc.path));
    } catch (error) {
      this.notSaved(doc, error, expected === "any");
    } finally {
      this.saving = false;
      this.drawTabs();
    }
  }

  private notSaved(doc: Doc, error: unknown, anyway: boolean): void {
    const again: [string, () => void] = [t("Overwrite it"), () => void this.save("any")];
    const code = error instanceof LabError ? error.code : "";
    if (code === "changed") {
      const text = t("{name} has changed in the machine since you opened it. It was not saved.", { name: doc.name });
      this.tell(text, [again, [t("Reload it, lose my changes"), () => void this.reload(doc)]]);
    } else if (code === "gone" && anyway) {
      this.tell(t("Not saved. There is no folder {name} any more. Make it, then save again.", { name: decodeName(parent(doc.path)) }));
    } else if (code === "gone") {
      this.tell(t("{name} is not there any more. Your text is still here.", { name: doc.name }), [[t("Save it again"), () => void this.save("any")]]);
    } else {
      this.tell(t("Not saved. {reason}", { reason: this.words(error) }));
    }
  }

  private async reload(doc: Doc): Promise<void> {
    try {
      const { text, tag } = await this.files.read(doc.path);
      doc.take(text, tag);
      if (doc === this.current) this.show(doc);
    } catch (error) {
      this.tell(this.words(error));
    }
  }

  private async close(doc: Doc): Promise<void> {
    if (doc.changed) {
      const lose = await ask({
        title: t("Close {name} without saving?", { name: doc.name }),
        body: [t("What you changed since you last saved it is lost.")],
        confirm: t("Close without saving"),
        cancel: t("Keep it open"),
        danger: true,
      });
      if (!lose) return;
    }
    this.forget(doc);
  }

  private forget(doc: Doc): void {
    const at = this.docs.indexOf(doc);
    this.docs.splice(at, 1);
    if (doc !== this.current) return this.drawTabs();
    const next = this.docs[Math.min(at, this.docs.length - 1)];
    if (next) return this.show(next);
    this.current = null;
    this.part("files-editor").hidden = true;
    this.part("files-none").hidden = false;
    this.host.classList.remove("editing");
    this.drawTabs();
    this.tree.focus();
  }

  private drawTabs(): void {
    const list = this.part("files-open");
    const focused = list.contains(document.activeElement);
    const tabs = this.docs.map((doc) => this.tab(doc));
    list.replaceChildren(...tabs);
    // Beside the list, not in it: a list of tabs holds tabs. Delete closes the one that has the focus.
    const close = this.part("files-close");
    close.hidden = this.current === null;
    close.setAttribute("aria-label", t("Close {name}", { name: this.current?.name ?? "" }));
    if (focused) list.querySelector<HTMLElement>("[aria-selected=true]")?.focus();
    const save = this.part<HTMLButtonElement>("files-save");
    save.disabled = !this.current?.changed || this.saving;
    save.textContent = this.saving ? t("Saving") : t("Save");
    save.title = save.disabled && !this.saving ? t("Nothing to save") : t("Save (Ctrl+S)");
  }

  private tab(doc: Doc): HTMLElement {
    const chosen = doc === this.current;
    const tab = element(
      "button",
      { type: "button", role: "tab", "aria-selected": String(chosen), "aria-controls": "files-editor", tabindex: chosen ? "0" : "-1", title: decodeName(doc.path) },
      doc.name,
    );
    if (doc.changed) tab.append(element("span", { class: "unsaved" }, "●", element("span", { class: "visually-hidden" }, ` ${t("not saved")}`)));
    tab.addEventListener("click", () => this.show(doc));
    tab.addEventListener("keydown", (event) => {
      const at = this.docs.indexOf(doc);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + this.docs.length, Home: 0, End: this.docs.length - 1 }[event.key];
      if (event.key === "Delete") void this.close(doc);
      else if (to === undefined) return;
      else this.show(this.docs[to % this.docs.length] ?? doc, false);
      event.preventDefault();
    });
    return tab;
  }

  // Make, rename, delete

  private async makeFile(folder: string): Promise<void> {
    const name = await askName(t("New file in {folder}", { folder: decodeName(folder) }), t("Make file"));
    if (name === null) return;
    const path = join(folder, encodeName(name));
    await this.doing(async () => {
      await this.files.save(path, "new", "");
      await this.tree.show(path);
      await this.open(path);
    });
  }

  private async makeFolder(folder: string): Promise<void> {
    const name = await askName(t("New folder in {folder}", { folder: decodeName(folder) }), t("Make folder"));
    if (name === null) return;
    const path = join(folder, encodeName(name));
    await this.doing(async () => {
      await this.files.makeFolder(path);
      await this.tree.show(path);
    });
  }

  private async rename(row: Row): Promise<void> {
    if (this.isPlace(row)) return;
    const name = await askName(t("Rename {name}", { name: row.label }), t("Rename"), decodeName(base(row.path)));
    const to = name === null ? row.path : join(parent(row.path), encodeName(name));
    if (to === row.path) return;
    await this.doing(async () => {
      await this.files.move(row.path, to);
      for (const doc of this.docs.filter((open) => within(open.path, row.path))) {
        doc.path = to + doc.path.slice(row.path.length);
        doc.name = shown(base(doc.path));
      }
      this.drawTabs();
      await this.tree.show(to);
    });
  }

  private async delete(row: Row): Promise<void> {
    if (this.isPlace(row)) return;
    const folder = row.kind === "folder";
    const sure = await ask({
      title: t("Delete {name}?", { name: row.label }),
      body: [folder ? t("The folder goes with everything in it. There is no way back.") : t("There is no way back.")],
      confirm: folder ? t("Delete the folder") : t("Delete the file"),
      danger: true,
    });
    if (!sure) return;
    await this.doing(async () => {
      await this.files.delete(row.path);
      for (const doc of this.docs.filter((open) => within(open.path, row.path) && !open.changed)) this.forget(doc);
      this.announce(t("{name} deleted", { name: row.label }));
    });
    await this.tree.refresh(parent(row.path));
  }

  /** Where the tree begins is not a thing to rename or delete. */
  private isPlace(row: Row): boolean {
    const place = this.tree.isRoot(row);
    if (place) this.tell(t("Choose a file or a folder in the list first."));
    return place;
  }

  // Up and down

  private async download(row: Row): Promise<void> {
    await this.doing(async () => {
      const address = await this.files.download(row.path);
      const link = element("a", { href: address, download: "" });
      this.host.append(link);
      link.click();
      link.remove();
    });
  }

  private chooseUploads(folder: string): void {
    const input = this.part<HTMLInputElement>("files-input");
    input.value = "";
    input.onchange = () => void this.upload([...(input.files ?? [])], folder);
    input.click();
  }

  private takeDrops(): void {
    const side = this.part("files-side");
    side.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      this.tree.mark(event.target);
    });
    side.addEventListener("dragleave", () => this.tree.mark(null));
    side.addEventListener("drop", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      this.tree.mark(null);
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry());
      if (entries.some((entry) => entry?.isDirectory)) {
        this.tell(t("A folder cannot be uploaded. Pack it first, upload the tar, then type: tar xf NAME.tar"));
      } else {
        void this.upload([...event.dataTransfer.files], this.tree.folderAt(event.target));
      }
    });
  }

  private async upload(files: File[], folder: string): Promise<void> {
    if (files.length === 0) return;
    if (this.uploading) return this.tell(t("Wait until the upload that runs has ended."));
    const control = (this.uploading = new AbortController());
    let last = "";
    let done = 0;
    try {
      for (const file of files) {
        last = join(folder, encodeName(file.name));
        if (file.size > UPLOAD_MAX) {
          this.tell(t("{name} has {size}; an upload takes {most} at most. Fetch it from the terminal instead.", { name: file.name, size: size(file.size), most: size(UPLOAD_MAX) }));
          return;
        }
        if (await this.send(last, file, control)) done += 1;
      }
      this.quiet();
      if (done > 0) this.announce(done === 1 ? t("1 file uploaded") : t("{count} files uploaded", { count: done }));
    } catch (error) {
      this.tell(control.signal.aborted ? t("The upload was cancelled. Nothing of it stays.") : t("Not uploaded. {reason}", { reason: this.words(error) }));
    } finally {
      this.uploading = null;
      await this.tree.show(last);
    }
  }

  /** Whether it was sent: of one that is there already the person decides. */
  private async send(path: string, file: File, control: AbortController): Promise<boolean> {
    const progress = element("progress", { max: String(Math.max(1, file.size)), "aria-label": t("Uploaded of {name}", { name: file.name }) });
    const text = element("span", { class: "text" });
    const sent = (bytes: number): void => {
      progress.value = bytes;
      text.textContent = t("Uploading {name}: {done} of {all}", { name: file.name, done: size(bytes), all: size(file.size) });
    };
    const begin = (replace: boolean): Promise<void> => {
      sent(0);
      this.notice(text, progress, this.button(t("Cancel"), () => control.abort()));
      return this.files.upload(path, file, replace, control.signal, sent);
    };
    try {
      await begin(false);
      return true;
    } catch (error) {
      if (!(error instanceof LabError) || error.code !== "exists") throw error;
    }
    const replace = await ask({
      title: t("Replace {name}?", { name: file.name }),
      body: [t("There is a file of that name already. What is in it is lost.")],
      confirm: t("Replace it"),
      cancel: t("Keep the old one"),
      danger: true,
    });
    if (replace) await begin(true);
    return replace;
  }

  // Words

  private async doing(act: () => Promise<void>): Promise<void> {
    this.quiet();
    try {
      await act();
    } catch (error) {
      this.tell(this.words(error));
    }
  }

  private words(error: unknown): string {
    if (error instanceof LabError) return `${error.title}. ${error.text}`;
    console.error(error);
    return t("Something in this page failed. Copy what is not saved, then reload the page.");
  }

  private tell(text: string, ways: [string, () => void][] = []): void {
    const buttons = ways.map(([label, act]) =>
      this.button(label, () => {
        this.quiet();
        act();
      }),
    );
    this.notice(element("span", { class: "text" }, text), ...buttons, this.button(t("Dismiss"), () => this.dismissed(), "quiet"));
  }

  private dismissed(): void {
    this.quiet();
    if (this.current) this.editor?.focus();
    else this.tree.focus();
  }

  private notice(...parts: HTMLElement[]): void {
    const bar = this.part("files-notice");
    bar.replaceChildren(...parts);
    bar.hidden = false;
  }

  private quiet(): void {
    if (!this.uploading || !this.part("files-notice").querySelector("progress")) this.part("files-notice").hidden = true;
  }

  private button(label: string, act: () => void, kind = ""): HTMLElement {
    return button({ label, go: act }, `compact ${kind}`);
  }
}
