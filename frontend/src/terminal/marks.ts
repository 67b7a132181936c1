/**
 * What the shell says of itself: OSC 133 marks around prompt (A, B), command (C) and its end (D, with the status).
 * The lab images' bash prints them; a shell that does not is judged by the line the cursor is on.
 */
import type { IDisposable, IMarker, Terminal } from "@xterm/xterm";

export type Mark = { kind: "prompt" } | { kind: "command" } | { kind: "end"; status: number | null };

/** A line that ends like a prompt, with the cursor behind it: `root@lab:~# `, `/ # `, `mysql> `. Not bash's `> `, which waits for more. */
const PROMPT = /(?:^[#$]|\S.*[#$>]) ?$/;

export class ShellMarks {
  private now: "unknown" | "prompt" | "running" = "unknown";
  private place: { marker: IMarker; column: number } | null = null;
  private readonly listeners = new Set<(mark: Mark) => void>();

  constructor(private readonly terminal: Pick<Terminal, "parser" | "buffer" | "registerMarker">) {
    terminal.parser.registerOscHandler(133, (data) => {
      this.take(data);
      return true;
    });
  }

  listen(listener: (mark: Mark) => void): IDisposable {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  }

  /** Whether the shell itself waits for a command. */
  get prompt(): boolean {
    return this.now === "prompt";
  }

  /** Whether a program has the terminal, as far as the shell's marks can tell. */
  get running(): boolean {
    return this.now === "running";
  }

  /** Whether something waits for a command: the shell, or one within it that prints no marks. */
  get atPrompt(): boolean {
    return this.prompt || this.looksLikePrompt();
  }

  /** Whether there is something on the command line that was not sent yet. */
  get halfTyped(): boolean {
    if (!this.prompt || !this.place || this.place.marker.isDisposed) return false;
    const { baseY, cursorX, cursorY } = this.terminal.buffer.active;
    return this.place.marker.line !== baseY + cursorY || this.place.column !== cursorX;
  }

  looksLikePrompt(): boolean {
    const buffer = this.terminal.buffer.active;
    if (buffer.type === "alternate") return false;
    const line = buffer.getLine(buffer.baseY + buffer.cursorY);
    const before = line?.translateToString(false, 0, buffer.cursorX) ?? "";
    return PROMPT.test(before) && line?.translateToString(true, buffer.cursorX) === "";
  }

  private take(data: string): void {
    const [letter, status] = data.split(";");
    if (letter === "B") {
      this.now = "prompt";
      this.place?.marker.dispose();
      this.place = { marker: this.terminal.registerMarker(0), column: this.terminal.buffer.active.cursorX };
      this.tell({ kind: "prompt" });
    } else if (letter === "C") {
      this.now = "running";
      this.tell({ kind: "command" });
    } else if (letter === "D") {
      this.tell({ kind: "end", status: status && /^\d+$/.test(status) ? Number(status) : null });
    }
  }

  private tell(mark: Mark): void {
    for (const listener of [...this.listeners]) listener(mark);
  }
}
