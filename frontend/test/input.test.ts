import { describe, expect, it } from "vitest";
import { CHUNK, InputQueue, WINDOW } from "../src/terminal/input";

/** A wire that keeps what goes over it: offset and length of each frame. */
class TestWire {
  readyState = WebSocket.OPEN as number;
  readonly frames: [number, number][] = [];

  send(frame: Uint8Array): void {
    this.frames.push([Number(new DataView(frame.buffer).getBigUint64(1)), frame.length - 9]);
  }

  /** Where what went over it ends. */
  get end(): number {
    return this.frames.reduce((end, [offset, length]) => Math.max(end, offset + length), 0);
  }
}

describe("a big paste", () => {
  it("goes in chunks, each once, as fast as the terminal takes it", () => {
    const wire = new TestWire();
    const queue = new InputQueue();
    queue.open(wire, 0);
    const total = 10 * 1024 * 1024;
    expect(queue.push(new Uint8Array(total))).toBe(true);
    expect(wire.end).toBe(WINDOW);
    for (let taken = 0; queue.waiting > 0; taken += CHUNK) {
      expect(wire.end - taken).toBeLessThanOrEqual(WINDOW);
      queue.confirm(taken);
    }
    expect(wire.end).toBe(total);
    expect(wire.frames.every(([offset, length], at) => offset === at * CHUNK && length <= CHUNK)).toBe(true);
  });

  it("stops where it is cancelled, and later keys still go", () => {
    const wire = new TestWire();
    const queue = new InputQueue();
    queue.open(wire, 0);
    queue.push(new Uint8Array(1024 * 1024));
    queue.cancel();
    queue.confirm(WINDOW);
    expect(wire.end).toBe(WINDOW);
    queue.push(new Uint8Array([3]));
    expect(wire.frames.at(-1)).toEqual([WINDOW, 1]);
  });

  it("keeps what is typed while the socket is closing", () => {
    const wire = new TestWire();
    const queue = new InputQueue();
    queue.open(wire, 0);
    wire.readyState = WebSocket.CLOSING;
    queue.push(new Uint8Array(5));
    expect(wire.frames).toEqual([]);
    const next = new TestWire();
    queue.open(next, 0);
    expect(next.frames).toEqual([[0, 5]]);
  });

  it("goes on with the next connection where the server had got to", () => {
    const queue = new InputQueue();
    queue.open(new TestWire(), 0);
    queue.push(new Uint8Array(WINDOW + 3 * CHUNK));
    queue.close();
    const second = new TestWire();
    expect(queue.open(second, CHUNK + 100)).toBe(0);
    expect(second.frames[0]).toEqual([CHUNK + 100, CHUNK - 100]);
    queue.confirm(WINDOW);
    expect(second.end).toBe(WINDOW + 3 * CHUNK);
    expect(second.frames.reduce((sum, [, length]) => sum + length, 0)).toBe(WINDOW + 3 * CHUNK - CHUNK - 100);
  });
});
