/** One terminal on the page: xterm.js, its add-ons, the stream behind it, and copy and paste. Loaded only where a lesson has a machine. */
import { isReport } from "./reports";
import "@xterm/xterm/css/xterm.css";
import { ClipboardAddon, type IClipboardProvider } from "@xterm/addon-clipboard";
import { FitAddon } from "@xterm/addon-fit";
import { UnicodeGraphemesAddon } from "@xterm/addon-unicode-graphemes";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import { socketUrl } from "../backoff";
import { size } from "../clock";
import { recall, remember } from "../preferences";
import { watchTheme } from "../theme";
import { copyText, readClipboard } from "./clipboard";
import { handleKey } from "./keys";
import { openMenu } from "./menu";
import { forTerminal, mayPaste, MOST } from "./paste";
import { palettes } from "./palette";
import { type Refusal, TerminalStream } from "./stream";

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
}

const SCREEN_READER = "screen-reader";
const encoder = new TextEncoder();

export class TerminalView {
  readonly terminal: Terminal;
  private readonly stream: TerminalStream;
  private readonly fitter = new FitAddon();
  private readonly observer: ResizeObserver;
  private readonly ready: Promise<void>;
  private pasteHandledAt = 0;
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
      fontSize: matchMedia("(max-width: 479px)").matches ? 12 : 14,
      lineHeight: 1.2,
      cursorBlink: true,
      cursorInactiveStyle: "outline",
      minimumContrastRatio: 4.5,
      screenReaderMode: recall(SCREEN_READER) === "on",
      macOptionIsMeta: true,
      rightClickSelectsWord: false,
    });
    this.load();
    this.terminal.open(host);
    this.terminal.textarea?.setAttribute("aria-label", `${title}. Press F6 to leave.`);
    this.useWebgl();
    watchTheme((theme) => (this.terminal.options.theme = palettes[theme]));
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
      exited: (status) => this.events.exited(status),
      refused: (refusal) => this.events.refused(refusal),
      notice: (notice) => this.events.tell(notice.text),
      pending: (bytes) => this.events.pasting(bytes),
    });
    this.stream.resize(this.terminal.cols, this.terminal.rows);
    this.terminal.onResize(({ cols, rows }) => this.stream.resize(cols, rows));
    this.terminal.onData((data) => {
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
    if (this.host.clientWidth > 0 && this.host.clientHeight > 0) this.fitter.fit();
  }

  /** Types a command and Enter, once the shell has shown its first prompt. */
  async run(command: string, interrupt: boolean): Promise<void> {
    await this.prompt();
    if (interrupt) {
      this.send(encoder.encode("\x03"));
      await this.quiet();
    }
    const bracketed = this.terminal.modes.bracketedPasteMode && command.includes("\n");
    this.send(encoder.encode(`${forTerminal(command, bracketed)}\r`));
    this.terminal.scrollToBottom();
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
      this.events.tell("The rest of the paste was not sent.");
    }
    this.focus();
  }

  dispose(): void {
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
          this.events.tell("A program in the terminal wants to copy text to your clipboard.", {
            label: "Copy it",
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
    if (!this.stream.send(bytes)) this.events.tell("The connection is down and too much waits to be sent. This was not taken.");
  }

  private async copy(text: string): Promise<void> {
    try {
      await copyText(text);
    } catch {
      this.events.tell("Your browser did not let the page copy. Select the text and press Ctrl+Shift+C.");
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
      this.events.tell(`That is ${size(text.length)}. A terminal takes ${size(MOST)} at most: put it into a file and fetch that instead.`);
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
    if (text === null) this.events.tell("Your browser does not let this page read the clipboard. Press Ctrl+V instead.");
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
    const { terminal } = this;
    const reader = terminal.options.screenReaderMode ?? false;
    const copy = { label: "Copy", hint: "Ctrl+Shift+C", act: () => void this.copySelection() };
    openMenu(
      event.clientX,
      event.clientY,
      [
        terminal.hasSelection() ? copy : { ...copy, disabled: "Select text in the terminal first." },
        { label: "Paste", hint: "Ctrl+Shift+V", act: () => void this.pasteFromClipboard() },
        { label: "Select all", act: () => terminal.selectAll() },
        { label: "Clear", act: () => terminal.clear() },
        null,
        {
          label: "Screen reader mode",
          checked: reader,
          act: () => {
            terminal.options.screenReaderMode = !reader;
            remember(SCREEN_READER, reader ? "off" : "on");
          },
        },
      ],
      () => this.focus(),
    );
  }

  /** Resolves when the shell has printed something, or after two seconds: input waits in the terminal's buffer then. */
  private prompt(): Promise<void> {
    return Promise.race([this.ready, wait(2000)]);
  }

  private quiet(): Promise<void> {
    return new Promise((resolve) => {
      const printed = this.terminal.onWriteParsed(() => finish());
      const timer = setTimeout(() => finish(), 400);
      const finish = (): void => {
        printed.dispose();
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
