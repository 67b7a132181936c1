import { describe, expect, it } from "vitest";
import { decode, encodeAck, encodeResize, encodeTyped } from "../src/terminal/frames";

const buffer = (...bytes: number[]): ArrayBuffer => new Uint8Array(bytes).buffer;

describe("frames", () => {
  it("writes input, resize and acknowledgement as the protocol has them", () => {
    expect([...encodeTyped(2 ** 33 + 5, new Uint8Array([104, 105]))]).toEqual([3, 0, 0, 0, 2, 0, 0, 0, 5, 104, 105]);
    expect([...encodeResize(300, 24)]).toEqual([1, 1, 44, 0, 24]);
    expect([...encodeAck(2 ** 33 + 5)]).toEqual([2, 0, 0, 0, 2, 0, 0, 0, 5]);
  });

  it("reads output with its offset, also above 32 bits", () => {
    const frame = decode(buffer(0, 0, 0, 0, 2, 0, 0, 0, 1, 65, 66));
    expect(frame).toEqual({ type: "output", offset: 2 ** 33 + 1, bytes: new Uint8Array([65, 66]) });
  });

  it("reads how much input was taken", () => {
    expect(decode(buffer(4, 0, 0, 0, 2, 0, 0, 0, 1))).toEqual({ type: "taken", offset: 2 ** 33 + 1 });
  });

  it("reads an exit by signal as a negative status", () => {
    expect(decode(buffer(1, 255, 255, 255, 247))).toEqual({ type: "exit", status: -9 });
  });

  it("reads hello and notice as JSON", () => {
    const json = (type: number, value: unknown): ArrayBuffer => buffer(type, ...new TextEncoder().encode(JSON.stringify(value)));
    const around = { columns: 80, rows: 24, role: "owner", write: true, tabs: 1, watchers: [] };
    const hello = { version: 2, start: 0, end: 9, input: 3, ...around };
    expect(decode(json(3, hello))).toEqual({ type: "hello", hello });
    expect(decode(json(5, around))).toEqual({ type: "around", around });
    expect(decode(json(2, { kind: "slow", text: "é" }))).toEqual({ type: "notice", notice: { kind: "slow", text: "é" } });
  });

  it("leaves an unknown type alone and refuses a frame that is cut short", () => {
    expect(decode(buffer(9, 1))).toBeNull();
    expect(() => decode(buffer(0, 1))).toThrow(RangeError);
  });
});
