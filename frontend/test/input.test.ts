import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CHUNK, HIGH_WATER, InputQueue } from "../src/terminal/input";

/** A wire that drains only when told to. */
class SlowWire {
  readyState = WebSocket.OPEN as number;
  bufferedAmount = 0;
  most = 0;
  readonly frames: number[] = [];

  send(frame: Uint8Array): void {
    this.frames.push(frame.length - 1);
    this.bufferedAmount += frame.length;
    this.most = Math.max(this.most, this.bufferedAmount);
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a big paste", () => {
  it("goes in chunks and never piles up in the socket", () => {
    const wire = new SlowWire();
    const queue = new InputQueue();
    queue.open(wire);
    const total = 10 * 1024 * 1024;
    expect(queue.push(new Uint8Array(total))).toBe(true);
    for (let turn = 0; queue.waiting > 0 && turn < 10_000; turn += 1) {
      wire.bufferedAmount = 0;
      vi.advanceTimersByTime(20);
    }
    expect(queue.waiting).toBe(0);
    expect(wire.frames.reduce((sum, length) => sum + length, 0)).toBe(total);
    expect(Math.max(...wire.frames)).toBe(CHUNK);
    expect(wire.most).toBeLessThanOrEqual(HIGH_WATER + CHUNK + 1);
  });

  it("stops where it is cancelled, and later keys still go", () => {
    const wire = new SlowWire();
    const queue = new InputQueue();
    queue.open(wire);
    queue.push(new Uint8Array(1024 * 1024));
    const before = wire.frames.length;
    queue.cancel();
    wire.bufferedAmount = 0;
    vi.advanceTimersByTime(1000);
    expect(wire.frames.length).toBe(before);
    queue.push(new Uint8Array([3]));
    expect(wire.frames.at(-1)).toBe(1);
  });

  it("keeps what is typed while the socket is closing", () => {
    const wire = new SlowWire();
    const queue = new InputQueue();
    queue.open(wire);
    wire.readyState = WebSocket.CLOSING;
    queue.push(new Uint8Array(5));
    expect(wire.frames).toEqual([]);
    const next = new SlowWire();
    queue.open(next);
    expect(next.frames).toEqual([5]);
  });

  it("goes on with the next connection", () => {
    const first = new SlowWire();
    const second = new SlowWire();
    const queue = new InputQueue();
    queue.open(first);
    queue.push(new Uint8Array(HIGH_WATER + 3 * CHUNK));
    queue.close();
    vi.advanceTimersByTime(1000);
    const sent = first.frames.reduce((sum, length) => sum + length, 0);
    queue.open(second);
    expect(sent + second.frames.reduce((sum, length) => sum + length, 0)).toBe(HIGH_WATER + 3 * CHUNK);
  });
});
