/** Keystrokes and pastes on their way to the socket, in order, no faster than it takes them. */
import { encodeInput } from "./frames";

export const CHUNK = 16 * 1024;
/** While the line is down only this much typing is kept: more would be a surprise when it comes back. */
export const OFFLINE_LIMIT = 64 * 1024;
/** Above this the socket is left to drain first, so a big paste neither fills memory nor trips the server's limits. */
export const HIGH_WATER = 128 * 1024;
const DRAIN_CHECK_MS = 15;

export interface Wire {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(frame: Uint8Array<ArrayBuffer>): void;
}

export class InputQueue {
  private chunks: Uint8Array[] = [];
  private pending = 0;
  private wire: Wire | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly onProgress: (pending: number) => void = () => undefined) {}

  /** Bytes not handed to the socket yet. */
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

  open(wire: Wire): void {
    this.wire = wire;
    this.flush();
  }

  close(): void {
    this.wire = null;
    clearTimeout(this.timer);
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
    clearTimeout(this.timer);
    const wire = this.live();
    if (!wire) return;
    while (this.chunks.length > 0 && wire.bufferedAmount < HIGH_WATER) {
      const chunk = this.chunks.shift() as Uint8Array;
      wire.send(encodeInput(chunk));
      this.pending -= chunk.length;
    }
    this.onProgress(this.pending);
    // WebSocket has no event for a drained buffer.
    if (this.chunks.length > 0) this.timer = setTimeout(() => this.flush(), DRAIN_CHECK_MS);
  }
}
