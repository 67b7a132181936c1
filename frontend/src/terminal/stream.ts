/** One terminal's bytes over one WebSocket that may come and go: nothing printed twice, nothing typed lost while it is away. */
import { Backoff, whenBack } from "../backoff";
import { type Around, decode, encodeAck, encodeResize, type Hello, type Notice } from "./frames";
import { InputQueue } from "./input";
import { t } from "../i18n";
import { randomHex } from "../random";

export const ACK_EVERY = 64 * 1024;
/** The end of a burst is acknowledged after this time: an answer to each echo would double the work of both sides. */
export const ACK_QUIET_MS = 100;
const RESIZE_QUIET_MS = 80;

/** Close codes after which a new attempt cannot help. */
export type Refusal = "signed-out" | "not-yours" | "not-found" | "ended";
/** The server could not hold more input, or not so large a message. */
const TOO_MUCH = [4413, 1009];
/** A connection that lasted this long was a good one: the next attempt is made soon again. */
const STABLE_MS = 5000;
const REFUSALS: Record<number, Refusal> = { 4401: "signed-out", 4403: "not-yours", 4404: "not-found", 4410: "ended" };

export interface Screen {
  /** Hands bytes to the terminal; `done` runs when they are on the screen. */
  write(bytes: Uint8Array, done: () => void): void;
  /** The server no longer has what would continue this screen: start from an empty one. */
  reset(): void;
  connected(hello: Hello): void;
  lost(): void;
  exited(status: number): void;
  notice(notice: Notice): void;
  /** Size, rights and company have changed. */
  around(around: Around): void;
  refused(refusal: Refusal): void;
  /** Bytes of input that wait to be sent. */
  pending(bytes: number): void;
}

export class TerminalStream {
  private socket: WebSocket | null = null;
  private ready = false;
  private greetedAt = 0;
  private over = false;
  /** Over for good. */
  private refused = false;
  /** The stream offset after the last byte handed to the screen; null before the first. */
  private received: number | null = null;
  private written = 0;
  /** Output before this offset is old: programs that asked the terminal something in it have long had their answer. */
  private replayEnd = 0;
  private acknowledged = 0;
  /** Rises with each reset, so that a late write callback of the old screen is not counted for the new one. */
  private generation = 0;
  private size: { columns: number; rows: number } | null = null;
  private sentSize = "";
  private ackTimer: ReturnType<typeof setTimeout> | undefined;
  private resizeTimer: ReturnType<typeof setTimeout> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly backoff = new Backoff();
  /** Names this page to the server, which keeps its place in the input. A duplicated tab is another one. */
  private readonly client = randomHex(16);
  private readonly input: InputQueue;
  private readonly stopWatching: () => void;

  constructor(
    private readonly url: string,
    private readonly screen: Screen,
  ) {
    this.input = new InputQueue((bytes) => screen.pending(bytes));
    this.stopWatching = whenBack(() => {
      if (this.over) return;
      if (!this.socket) this.open();
      // The tab that is looked at decides the size.
      this.sentSize = "";
      this.sendSize();
    });
    this.open();
  }

  /** Whether the screen is still being drawn from what was printed before this page came. */
  get replaying(): boolean {
    return this.written < this.replayEnd;
  }

  get offset(): number | null {
    return this.received;
  }

  /** False where it could not be taken: the line is down and 64 KiB wait already. */
  send(bytes: Uint8Array): boolean {
    return this.input.push(bytes);
  }

  /** Forgets input that was not sent yet; returns how much that was. */
  cancelInput(): number {
    const waiting = this.input.waiting;
    this.input.cancel();
    return waiting;
  }

  resize(columns: number, rows: number): void {
    this.size = { columns, rows };
    clearTimeout(this.resizeTimer);
    this.resizeTimer = setTimeout(() => this.sendSize(), RESIZE_QUIET_MS);
  }

  /** A fresh shell runs where the last one had exited, and its output goes on behind the old one's. */
  resume(): void {
    if (this.refused) return;
    this.over = false;
    this.ready = false;
    this.input.close();
    this.socket?.close(1000);
    this.socket = null;
    this.open();
  }

  close(): void {
    this.over = true;
    this.refused = true;
    this.stopWatching();
    clearTimeout(this.retryTimer);
    clearTimeout(this.resizeTimer);
    clearTimeout(this.ackTimer);
    this.input.close();
    this.socket?.close(1000);
    this.socket = null;
  }

  private open(): void {
    clearTimeout(this.retryTimer);
    const offset = this.received === null ? "" : `&offset=${this.received}`;
    const socket = new WebSocket(`${this.url}?client=${this.client}${offset}`);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event: MessageEvent<ArrayBuffer>) => {
      if (socket === this.socket) this.receive(event.data);
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.socket) this.closed(event.code);
    });
    this.socket = socket;
  }

  private receive(data: ArrayBuffer): void {
    const frame = decode(data);
    switch (frame?.type) {
      case "hello":
        this.greeted(frame.hello);
        break;
      case "output":
        this.output(frame.offset, frame.bytes);
        break;
      case "exit":
        // The server closes now; what it has was shown, so there is nothing to come back for.
        this.over = true;
        this.screen.exited(frame.status);
        break;
      case "notice":
        this.screen.notice(frame.notice);
        break;
      case "taken":
        this.input.confirm(frame.offset);
        break;
      case "around":
        this.screen.around(frame.around);
        break;
    }
  }

  private greeted(hello: Hello): void {
    if (this.received !== null && (hello.start > this.received || hello.end < this.received)) this.drawAfresh();
    if (this.received === null) {
      this.written = hello.start;
      this.replayEnd = hello.end;
    }
    this.acknowledged = -1;
    this.ready = true;
    this.greetedAt = Date.now();
    this.screen.connected(hello);
    this.screen.around(hello);
    this.sentSize = "";
    this.sendSize();
    // What reached the screen while the line was down must not count against the server's window.
    this.acknowledge();
    const unknown = this.socket ? this.input.open(this.socket, hello.input) : 0;
    if (unknown > 0) this.screen.notice({ kind: "uncertain", text: t("What you typed last may not have arrived. Look before you type it again.") });
  }

  private drawAfresh(): void {
    this.generation += 1;
    this.screen.reset();
    this.received = null;
  }

  private output(offset: number, bytes: Uint8Array): void {
    // This page was so far behind that the server no longer has what lies between.
    if (this.received !== null && offset > this.received) {
      this.drawAfresh();
      this.written = offset;
    }
    const known = this.received ?? offset;
    const fresh = offset < known ? bytes.subarray(Math.min(known - offset, bytes.length)) : bytes;
    const end = offset + bytes.length;
    if (fresh.length === 0) return;
    this.received = end;
    const generation = this.generation;
    this.screen.write(fresh, () => {
      if (generation !== this.generation) return;
      this.written = Math.max(this.written, end);
      if (this.written - this.acknowledged >= ACK_EVERY) this.acknowledge();
      else this.ackTimer ??= setTimeout(() => this.acknowledge(), ACK_QUIET_MS);
    });
  }

  private acknowledge(): void {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    if (!this.ready || this.socket?.readyState !== WebSocket.OPEN || this.written === this.acknowledged) return;
    this.acknowledged = this.written;
    this.socket.send(encodeAck(this.written));
  }

  private sendSize(): void {
    if (!this.ready || this.socket?.readyState !== WebSocket.OPEN || !this.size || document.visibilityState === "hidden") return;
    const { columns, rows } = this.size;
    if (this.sentSize === `${columns}x${rows}`) return;
    this.sentSize = `${columns}x${rows}`;
    this.socket.send(encodeResize(columns, rows));
  }

  private closed(code: number): void {
    if (this.ready && Date.now() - this.greetedAt > STABLE_MS) this.backoff.reset();
    this.socket = null;
    this.ready = false;
    this.input.close();
    if (this.over) return;
    if (TOO_MUCH.includes(code)) {
      this.input.cancel();
      this.screen.notice({ kind: "too-much", text: t("The terminal could not take that much at once. The rest was not sent.") });
    }
    const refusal = REFUSALS[code];
    if (refusal) {
      this.over = true;
      this.refused = true;
      this.stopWatching();
      this.screen.refused(refusal);
      return;
    }
    this.screen.lost();
    this.retryTimer = setTimeout(() => this.open(), this.backoff.next());
  }
}
