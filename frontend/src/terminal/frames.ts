/** Terminal frames on the wire: first byte the type, integers big-endian (docs/terminal-protocol.md). */

export interface Hello {
  start: number;
  end: number;
  columns: number;
  rows: number;
}

export interface Notice {
  kind: string;
  text: string;
}

export type ServerFrame =
  | { type: "output"; offset: number; bytes: Uint8Array }
  | { type: "exit"; status: number }
  | { type: "notice"; notice: Notice }
  | { type: "hello"; hello: Hello };

const INPUT = 0;
const RESIZE = 1;
const ACK = 2;

export function encodeInput(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(1 + bytes.length);
  frame[0] = INPUT;
  frame.set(bytes, 1);
  return frame;
}

export function encodeResize(columns: number, rows: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(5);
  const view = new DataView(frame.buffer);
  view.setUint8(0, RESIZE);
  view.setUint16(1, columns);
  view.setUint16(3, rows);
  return frame;
}

export function encodeAck(offset: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(9);
  const view = new DataView(frame.buffer);
  view.setUint8(0, ACK);
  view.setBigUint64(1, BigInt(offset));
  return frame;
}

/** Null for a type this page does not know: a newer server may send one. Throws on a frame that is cut short. */
export function decode(buffer: ArrayBuffer): ServerFrame | null {
  const view = new DataView(buffer);
  switch (view.getUint8(0)) {
    case 0:
      return { type: "output", offset: Number(view.getBigUint64(1)), bytes: new Uint8Array(buffer, 9) };
    case 1:
      return { type: "exit", status: view.getInt32(1) };
    case 2:
      return { type: "notice", notice: json(buffer) as Notice };
    case 3:
      return { type: "hello", hello: json(buffer) as Hello };
    default:
      return null;
  }
}

function json(buffer: ArrayBuffer): unknown {
  return JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 1)));
}
