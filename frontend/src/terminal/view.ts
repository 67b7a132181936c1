/** One terminal on the page: xterm.js, its add-ons, the stream behind it, and copy and paste. Loaded only where a lesson has a machine. */
import { isReport } from "./reports";
import "@xterm/xterm/css/xterm.css";
import { ClipboardAddon, type IClipboardProvider } from "@xterm/addon-clipboard";
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { UnicodeGraphemesAddon } from "@xterm/addon-unicode-graphemes";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import { socketUrl } from "../backoff";
import { size } from "../clock";
import { effectiveTheme, watchTheme } from "../theme";
import { copyText, readClipboard } from "./clipboard";
import { FindBar } from "./find";
import { handleKey } from "./keys";
import { type Around } from "./frames";
import { scaledFont } from "./letterbox";
import { ShellMarks } from "./marks";
import { type MenuItem, openMenu } from "./menu";
import { type Outcome, outcome } from "./outcome";
import { forTerminal, mayPaste, MOST } from "./paste";
import { type Palette, palettes } from "./palette";
import { fontSize, screenReader, setScreenReader, stepFontSize, themeChoice, watchSettings } from "./settings";
import { type Refusal, TerminalStream } from "./stream";
import { t } from "../i18n";

declare global {
  interface Window {
    /** For the browser tests, which read what is on the screen here: the WebGL renderer leaves no text in the page. */
    playgroundTerminals?: Terminal[];
  }
}

export interface ViewEvents {
  connected(): void;
  lost(): void;
  exited(status: number): void;
  refused(refusal: Refusal): void;
  /** A sentence for the person, with one thing they can do about it. */
  tell(text: string, action?: { label: string; act: () => void }): void;
  pasting(bytes: number): void;
  leave(): void;
  /** To the next (1) or the previous (-1) terminal. */
  turn(step: -1 | 1): void;
  /** Enter was pressed where the shell has exited. */
  restart(): void;
  /** What the terminal's menu has besides its own items. */
  more(): (MenuItem | null)[];
  /** Who else is here, and whether this page may type. */
  around?(around: Around): void;
}

const encoder = new TextEncoder();
/** How long a program may take to end after Ctrl-C. */
const INTERRUPT_MS = 3000;
const FRESH_SHELL_MS = 5000;
/** Ends and empties the command line; Ctrl-Y brings back what stood there. */
const CLEAR_LINE = "\x05\x15";

export class TerminalView {
  readonly terminal: Terminal;
  private readonly stream: TerminalStream;
  private readonly fitter = new FitAddon();
  private readonly marks: ShellMarks;
  private readonly finder: FindBar;
  private readonly forget: (() => void)[] = [];
  /** Aborted when the shell or the view has gone. */
  private shell = new AbortController();
  private hasExited = false;
  private readonly observer: ResizeObserver;
  private readonly ready: Promise<void>;
  private pasteHandledAt = 0;
  /** The terminal's size, where another window decided it. */
  private shared: { cols: number; rows: number } | null = null;
  private ctrl: ((on: boolean) => void) | null = null;

  constructor(
    private readonly host: HTMLElement,
    path: string,
    title: string,
    private readonly events: ViewEvents,
  ) {
    this.terminal = new Terminal({
      allowProposedApi: true,
      scrollback: 10_000,
      fontFamily: '"JetBrains Mono Variable", ui-monospace, Menlo, monospace',
      fontSize: fontSize(),
      lineHeight: 1.2,
      cursorBlink: true,
      cursorInactiveStyle: "outline",
      minimumContrastRatio: 4.5,
      screenReaderMode: screenReader(),
      macOptionIsMeta: true,
      rightClickSelectsWord: false,
    });
    this.load();
    this.marks = new ShellMarks(this.terminal);
    this.terminal.open(host);
    this.name(title);
    this.useWebgl();
    this.forget.push(
      watchTheme(() => this.paint()),
      watchSettings(() => this.settle()),
    );
    const search = new SearchAddon();
    this.terminal.loadAddon(search);
    const colours = (): { match: string; active: string; border: string } => {
      const { selectionInactiveBackground, selectionBackground, cursor } = this.palette;
      return { match: selectionInactiveBackground, active: selectionBackground, border: cursor };
    };
    this.finder = new FindBar(host, search, colours, () => this.focus());
    this.fitter.fit();
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(host);

    let painted: () => void;
    this.ready = new Promise((resolve) => (painted = resolve));
    this.stream = new TerminalStream(socketUrl(path), {
      write: (bytes, done) =>
        this.terminal.write(bytes, () => {
          painted();
          done();
        }),
      reset: () => this.terminal.reset(),
      connected: () => this.events.connected(),
      lost: () => this.events.lost(),
      exited: (status) => {
        this.hasExited = true;
        this.shell.abort();
        this.events.exited(status);
      },
      refused: (refusal) => this.events.refused(refusal),
      notice: (notice) => this.events.tell(notice.text),
      around: (around) => this.arrange(around),
      pending: (bytes) => this.events.pasting(bytes),
    });
    this.stream.resize(this.terminal.cols, this.terminal.rows);
    this.terminal.onData((data) => {
      if (this.hasExited && data === "\r") this.events.restart();
      // Old output may hold questions to the terminal; answering them again would type the answers into the shell.
      if (!(this.stream.replaying && isReport(data))) this.typed(data);
    });
    this.terminal.onBinary((data) => this.send(Uint8Array.from(data, (character) => character.charCodeAt(0))));
    this.listen();
    (window.playgroundTerminals ??= []).push(this.terminal);
  }

  focus(): void {
    this.terminal.focus();
  }

  fit(): void {
    // A hidden pane has no size: fitting to it would squeeze the shell to one column.
    if (this.host.clientWidth === 0 || this.host.clientHeight === 0) return;
    this.terminal.options.fontSize = fontSize();
    const own = this.fitter.proposeDimensions();
    if (!own) return;
    this.stream.resize(own.cols, own.rows);
    const size = this.shared ?? own;
    this.terminal.options.fontSize = scaledFont(fontSize(), own, size);
    this.terminal.resize(size.cols, size.rows);
  }

  /** The window last typed in decides the terminal's size: the others show it whole, smaller or with an empty edge. */
  private arrange(around: Around): void {
    const { columns: cols, rows, role } = around;
    const own = this.fitter.proposeDimensions();
    // In hello an owner hears of a size that its own replaces in a moment.
    const decided = "start" in around && role === "owner" ? null : { cols, rows };
    const shared = decided && own && (cols !== own.cols || rows !== own.rows || this.shared) ? decided : null;
    if (shared?.cols !== this.shared?.cols || shared?.rows !== this.shared?.rows) {
      this.shared = shared;
      this.fit();
    }
    this.events.around?.(around);
  }

  /** What the terminal is called, to those who cannot see its tab. */
  name(title: string): void {
    this.terminal.textarea?.setAttribute("aria-label", t("{title}. Press F6 to leave.", { title }));
  }

  get exited(): boolean {
    return this.hasExited;
  }

  /** Whether a program other than the shell has the terminal. */
  get busy(): boolean {
    return !this.hasExited && !this.marks.atPrompt;
  }

  /** A fresh shell runs in it. */
  resume(): void {
    this.hasExited = false;
    this.shell = new AbortController();
    this.stream.resume();
  }

  find(): void {
    this.finder.open(this.terminal.getSelection());
  }

  /**
   * Types a command and Enter, and tells how it ended. Waits for the first prompt; where a program has the terminal, `interrupt` ends it
   * first. "busy": a program has it, and nothing was typed. Null when `stop` or the terminal's end came before the command's.
   */
  async run(command: string, interrupt: boolean, stop?: AbortSignal): Promise<Outcome | "busy" | null> {
    if (this.hasExited) {
      this.events.restart();
      await this.until(() => !this.hasExited && this.marks.prompt, FRESH_SHELL_MS);
    }
    await this.settled();
    if (interrupt && !this.marks.prompt) {
      this.interrupt();
      await this.until(() => this.marks.atPrompt, INTERRUPT_MS);
    }
    // What ignored Ctrl-C gets the command all the same, as it always would; a full-screen program would take it for keys.
    if (this.busy && !(interrupt && this.terminal.buffer.active.type === "normal")) return "busy";
    const lines = command.includes("\n") ? 2 : 1;
    const signal = stop ? AbortSignal.any([stop, this.shell.signal]) : this.shell.signal;
    const ended = outcome({ marks: this.marks, printed: this.terminal.onWriteParsed }, lines, signal);
    const bracketed = this.terminal.modes.bracketedPasteMode && lines > 1;
    this.send(encoder.encode(`${this.marks.halfTyped ? CLEAR_LINE : ""}${forTerminal(command, bracketed)}\r`));
    this.terminal.scrollToBottom();
    return ended;
  }

  interrupt(): void {
    this.send(encoder.encode("\x03"));
  }

  /** Sends a key of the key bar, in the form the running program asked for. */
  key(name: string): void {
    const arrows = { Up: "A", Down: "B", Right: "C", Left: "D" } as const;
    const arrow = arrows[name as keyof typeof arrows];
    if (arrow) this.send(encoder.encode(`\x1b${this.terminal.modes.applicationCursorKeysMode ? "O" : "["}${arrow}`));
    else this.send(encoder.encode(name === "Tab" ? "\t" : "\x1b"));
    this.focus();
  }

  /** The next character typed is sent with Ctrl; `released` is told when that has happened. */
  armCtrl(released: ((on: boolean) => void) | null): void {
    this.ctrl = released;
    this.focus();
  }

  cancelPaste(): void {
    if (this.stream.cancelInput() > 0) {
      // The shell waits for the bracket's end otherwise, and takes what is typed next as pasted.
      if (this.terminal.modes.bracketedPasteMode) this.send(encoder.encode("\x1b[201~"));
      this.events.tell(t("The rest of the paste was not sent."));
    }
    this.focus();
  }

  dispose(): void {
    this.shell.abort();
    for (const undo of this.forget) undo();
    this.stream.close();
    this.observer.disconnect();
    window.playgroundTerminals = window.playgroundTerminals?.filter((terminal) => terminal !== this.terminal) ?? [];
    this.terminal.dispose();
  }

  private load(): void {
    this.terminal.loadAddon(this.fitter);
    this.terminal.loadAddon(new WebLinksAddon());
    this.terminal.loadAddon(new UnicodeGraphemesAddon());
    // Programs may write to the clipboard (OSC 52), never read it.
    const provider: IClipboardProvider = {
      readText: () => "",
      writeText: (_selection, text) =>
        copyText(text).catch(() => {
          this.events.tell(t("A program in the terminal wants to copy text to your clipboard."), {
            label: t("Copy it"),
            act: () => void this.copy(text),
          });
        }),
    };
    this.terminal.loadAddon(new ClipboardAddon(undefined, provider));
  }

  /** Falls back to the DOM renderer where WebGL is missing or the browser takes its context away. */
  private useWebgl(): void {
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.terminal.loadAddon(webgl);
      // Glyphs drawn before the font has arrived would stay in the atlas.
      void document.fonts.load('14px "JetBrains Mono Variable"').then(() => webgl.clearTextureAtlas());
    } catch (error) {
      console.info("WebGL is not available; the terminal is drawn as text.", error);
    }
  }

  private typed(data: string): void {
    if (this.ctrl && data.length === 1) {
      const released = this.ctrl;
      this.ctrl = null;
      released(false);
      const code = data.toUpperCase().charCodeAt(0);
      if (code >= 0x40 && code < 0x60) data = String.fromCharCode(code & 0x1f);
    }
    this.send(encoder.encode(data));
  }

  private send(bytes: Uint8Array): void {
    if (!this.stream.send(bytes)) this.events.tell(t("The connection is down and too much waits to be sent. This was not taken."));
  }

  private async copy(text: string): Promise<void> {
    try {
      await copyText(text);
    } catch {
      this.events.tell(t("Your browser did not let the page copy. Select the text and press Ctrl+Shift+C."));
    }
  }

  private async copySelection(): Promise<void> {
    await this.copy(this.terminal.getSelection());
    // With the selection gone, the next Ctrl+C interrupts as it should.
    this.terminal.clearSelection();
    this.focus();
  }

  async paste(text: string): Promise<void> {
    if (!text) return;
    if (text.length > MOST) {
      this.events.tell(t("That is {size}. A terminal takes {most} at most: put it into a file and fetch that instead.", { size: size(text.length), most: size(MOST) }));
      return;
    }
    const allowed = await mayPaste(text, this.terminal.modes.bracketedPasteMode);
    this.focus();
    if (!allowed) return;
    // Asked again: the program may have changed while the question was on the screen.
    this.send(encoder.encode(forTerminal(text, this.terminal.modes.bracketedPasteMode)));
    this.terminal.scrollToBottom();
  }

  private async pasteFromClipboard(): Promise<void> {
    const text = await readClipboard();
    if (text === null) this.events.tell(t("Your browser does not let this page read the clipboard. Press Ctrl+V instead."));
    else await this.paste(text);
  }

  private listen(): void {
    const { terminal, host } = this;
    terminal.attachCustomKeyEventHandler((event) =>
      handleKey(event, {
        hasSelection: () => terminal.hasSelection(),
        inFullScreenProgram: () => terminal.buffer.active.type === "alternate",
        copy: () => void this.copySelection(),
        leave: () => this.events.leave(),
        find: () => this.find(),
        stepFontSize,
        turn: (step) => this.events.turn(step),
        cancelPaste: () => this.stream.cancelInput() > 0,
      }),
    );
    // Before xterm's own handler, which would send any amount at once.
    host.addEventListener(
      "paste",
      (event) => {
        event.preventDefault();
        event.stopImmediatePropagation();
        if (performance.now() - this.pasteHandledAt < 100) return;
        void this.paste(event.clipboardData?.getData("text/plain") ?? "");
      },
      true,
    );
    host.addEventListener(
      "mouseup",
      (event) => {
        if (event.button !== 1 || terminal.modes.mouseTrackingMode !== "none" || !terminal.hasSelection()) return;
        // On Linux the browser pastes the primary selection itself right after this; once is enough.
        event.preventDefault();
        this.pasteHandledAt = performance.now();
        void this.paste(terminal.getSelection());
      },
      true,
    );
    host.addEventListener("contextmenu", (event) => this.contextMenu(event), true);
  }

  private contextMenu(event: MouseEvent): void {
    if (event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    openMenu(event.clientX, event.clientY, this.menu(), () => this.focus());
  }

  /** The items that are the terminal's own, and those of its pane. */
  menu(): (MenuItem | null)[] {
    const { terminal } = this;
    const copy = { label: t("Copy"), hint: "Ctrl+Shift+C", act: () => void this.copySelection() };
    return [
      terminal.hasSelection() ? copy : { ...copy, disabled: t("Select text in the terminal first.") },
      { label: t("Paste"), hint: "Ctrl+Shift+V", act: () => void this.pasteFromClipboard() },
      { label: t("Select all"), act: () => terminal.selectAll() },
      { label: t("Clear"), act: () => terminal.clear() },
      { label: t("Find"), hint: "Ctrl+Shift+F", act: () => this.find() },
      null,
      ...this.events.more(),
      { label: t("Screen reader mode"), checked: screenReader(), act: () => setScreenReader(!screenReader()) },
    ];
  }

  /** Resolves when it is known what has the terminal: a prompt, or a program that has been there for a moment. */
  private async settled(): Promise<void> {
    await Promise.race([this.ready, wait(2000)]);
    await this.until(() => !this.stream.replaying && (this.marks.atPrompt || this.marks.running), 2000);
  }

  /** Resolves as soon as `condition` holds after some output, or after `milliseconds`. */
  private until(condition: () => boolean, milliseconds: number): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const printed = this.terminal.onWriteParsed(() => {
        if (condition()) finish();
      });
      const timer = setTimeout(() => finish(), milliseconds);
      const finish = (): void => {
        printed.dispose();
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private get palette(): Palette {
    const choice = themeChoice();
    return palettes[choice === "page" ? effectiveTheme() : choice];
  }

  private paint(): void {
    this.terminal.options.theme = this.palette;
    this.host.parentElement?.style.setProperty("--terminal", this.palette.background);
  }

  private settle(): void {
    this.terminal.options.screenReaderMode = screenReader();
    this.paint();
    this.fit();
  }
}

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
