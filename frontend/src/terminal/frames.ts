/** Terminal frames on the wire: first byte the type, integers big-endian (docs/terminal-protocol.md). */

/** What there is around the text: told in hello, and again when it changes. */
export interface Around {
  /** The terminal's size; where this page's own differs, it is shown scaled. */
  columns: number;
  rows: number;
  role: "owner" | "watcher";
  /** Whether what is typed here reaches the terminal. */
  write: boolean;
  /** How many tabs of the owner have this terminal open. */
  tabs: number;
  watchers: { user: string; name: string; write: boolean }[];
}

export interface Hello extends Around {
  version: number;
  start: number;
  end: number;
  /** All input of this page before this place has been handed to the terminal. */
  input: number;
}

export interface Notice {
  kind: string;
  text: string;
  /** Whom it is about. */
  user?: string;
}

export type ServerFrame =
  | { type: "output"; offset: number; bytes: Uint8Array }
  | { type: "exit"; status: number }
  | { type: "notice"; notice: Notice }
  | { type: "taken"; offset: number }
  | { type: "around"; around: Around }
  | { type: "hello"; hello: Hello };

const RESIZE = 1;
const ACK = 2;
const TYPED = 3;

export function encodeTyped(offset: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(9 + bytes.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, TYPED);
  view.setBigUint64(1, BigInt(offset));
  frame.set(bytes, 9);
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
    case 4:
      return { type: "taken", offset: Number(view.getBigUint64(1)) };
    case 5:
      return { type: "around", around: json(buffer) as Around };
    default:
      return null;
  }
}

function json(buffer: ArrayBuffer): unknown {
  return JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 1)));
}
