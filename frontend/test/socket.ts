import type { Around } from "../src/terminal/frames";

const AROUND: Around = { columns: 80, rows: 24, role: "owner", write: true, tabs: 1, watchers: [] };

/** A WebSocket that the test plays the server of. */
export class TestSocket extends EventTarget {
  static readonly OPEN = 1;
  static opened: TestSocket[] = [];
  readyState = TestSocket.OPEN;
  readonly sent: Uint8Array[] = [];
  binaryType = "";
  bufferedAmount = 0;

  constructor(readonly url: string) {
    super();
    TestSocket.opened.push(this);
  }

  static get last(): TestSocket {
    return TestSocket.opened.at(-1) as TestSocket;
  }

  send(frame: Uint8Array): void {
    this.sent.push(frame);
  }

  close(code = 1000): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  private deliver(data: ArrayBuffer): void {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  hello(start: number, end: number, input = 0, around: Partial<Around> = {}): void {
    this.json(3, { version: 2, start, end, input, ...AROUND, ...around });
  }

  around(around: Partial<Around>): void {
    this.json(5, { ...AROUND, ...around });
  }

  taken(offset: number): void {
    const frame = new DataView(new ArrayBuffer(9));
    frame.setUint8(0, 4);
    frame.setBigUint64(1, BigInt(offset));
    this.deliver(frame.buffer);
  }

  private json(type: number, value: unknown): void {
    this.deliver(new Uint8Array([type, ...new TextEncoder().encode(JSON.stringify(value))]).buffer);
  }

  output(offset: number, text: string): void {
    const head = new DataView(new ArrayBuffer(9));
    head.setBigUint64(1, BigInt(offset));
    this.deliver(new Uint8Array([...new Uint8Array(head.buffer), ...new TextEncoder().encode(text)]).buffer);
  }

  exit(status: number): void {
    const frame = new DataView(new ArrayBuffer(5));
    frame.setUint8(0, 1);
    frame.setInt32(1, status);
    this.deliver(frame.buffer);
  }

  /** What was typed, each frame with its offset. */
  get typedFrames(): [number, string][] {
    return this.sent
      .filter((frame) => frame[0] === 3)
      .map((frame) => [Number(new DataView(frame.buffer).getBigUint64(1)), new TextDecoder().decode(frame.subarray(9))]);
  }

  /** What was typed, in order. */
  get typed(): string {
    return this.typedFrames.map(([, text]) => text).join("");
  }

  get acknowledged(): number[] {
    return this.sent.filter((frame) => frame[0] === 2).map((frame) => Number(new DataView(frame.buffer).getBigUint64(1)));
  }

  get sizes(): number[][] {
    return this.sent.filter((frame) => frame[0] === 1).map((frame) => [new DataView(frame.buffer).getUint16(1), new DataView(frame.buffer).getUint16(3)]);
  }
}
