/**
 * Keystrokes and pastes on their way to the terminal, in order. What was sent is kept until the server says that the terminal has taken it: after
 * a lost connection the rest goes again, from the place the server names, so nothing is lost and nothing is typed twice.
 */
import { encodeTyped } from "./frames";

export const CHUNK = 16 * 1024;
/** While the line is down only this much typing is kept: more would be a surprise when it comes back. */
const OFFLINE_LIMIT = 64 * 1024;
/** Bytes on their way at most, so that a program that reads nothing fills neither the server's memory nor the socket's. */
export const WINDOW = 128 * 1024;

export interface Wire {
  readonly readyState: number;
  send(frame: Uint8Array<ArrayBuffer>): void;
}

export class InputQueue {
  private chunks: Uint8Array[] = [];
  private pending = 0;
  private flight: Uint8Array[] = [];
  /** Place of the first byte in `flight`, and of the first that was never sent. */
  private taken = 0;
  private sent = 0;
  private wire: Wire | null = null;

  constructor(private readonly onProgress: (pending: number) => void = () => undefined) {}

  /** Bytes that were never sent. */
  get waiting(): number {
    return this.pending;
  }

  /** False where the line is down and the queue is full: nothing of `bytes` was taken then. */
  push(bytes: Uint8Array): boolean {
    if (!this.live() && this.pending + bytes.length > OFFLINE_LIMIT) return false;
    for (let at = 0; at < bytes.length; at += CHUNK) this.chunks.push(bytes.subarray(at, at + CHUNK));
    this.pending += bytes.length;
    this.flush();
    return true;
  }

  /**
   * Goes on over this connection, whose server has handed over all before `expected`. Returns how many bytes nobody knows of: a server that has
   * forgotten this page cannot say whether those on their way arrived, and they are not sent again.
   */
  open(wire: Wire, expected: number): number {
    this.wire = wire;
    let unknown = 0;
    if (expected < this.taken || expected > this.sent) {
      unknown = this.sent - this.taken;
      this.flight = [];
      this.taken = this.sent = expected;
    } else {
      this.forget(expected);
      let offset = this.taken;
      for (const chunk of this.flight) {
        wire.send(encodeTyped(offset, chunk));
        offset += chunk.length;
      }
    }
    this.flush();
    return unknown;
  }

  close(): void {
    this.wire = null;
  }

  /** The terminal has taken everything before this place. */
  confirm(offset: number): void {
    this.forget(offset);
    this.flush();
  }

  private forget(offset: number): void {
    while (this.flight[0] && this.taken < offset) {
      const count = Math.min(offset - this.taken, this.flight[0].length);
      if (count === this.flight[0].length) this.flight.shift();
      else this.flight[0] = this.flight[0].subarray(count);
      this.taken += count;
    }
  }

  /** Forgets what has not been sent. */
  cancel(): void {
    this.chunks = [];
    this.pending = 0;
    this.onProgress(0);
  }

  /** A socket that is closing still takes data, and drops it. */
  private live(): Wire | null {
    return this.wire?.readyState === WebSocket.OPEN ? this.wire : null;
  }

  private flush(): void {
    const wire = this.live();
    if (!wire) return;
    while (this.chunks[0] && this.sent - this.taken + this.chunks[0].length <= WINDOW) {
      const chunk = this.chunks.shift() as Uint8Array;
      wire.send(encodeTyped(this.sent, chunk));
      this.flight.push(chunk);
      this.sent += chunk.length;
      this.pending -= chunk.length;
    }
    this.onProgress(this.pending);
  }
}
