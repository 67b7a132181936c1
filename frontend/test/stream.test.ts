import { Terminal } from "@xterm/headless";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ACK_EVERY, ACK_QUIET_MS, type Screen, TerminalStream } from "../src/terminal/stream";
import { TestSocket } from "./socket";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function screen(): { [K in keyof Screen]: ReturnType<typeof vi.fn<Screen[K]>> } & { text: () => string } {
  let shown = "";
  return {
    write: vi.fn<Screen["write"]>((data, done) => {
      shown += new TextDecoder().decode(data);
      done();
    }),
    reset: vi.fn<Screen["reset"]>(() => {
      shown = "";
    }),
    connected: vi.fn<Screen["connected"]>(),
    lost: vi.fn<Screen["lost"]>(),
    exited: vi.fn<Screen["exited"]>(),
    notice: vi.fn<Screen["notice"]>(),
    around: vi.fn<Screen["around"]>(),
    refused: vi.fn<Screen["refused"]>(),
    pending: vi.fn<Screen["pending"]>(),
    text: () => shown,
  };
}

let stream: TerminalStream;

function connect(on: Screen, start = 0, end = 0): TestSocket {
  stream = new TerminalStream("ws://site/ws/terminals/t", on);
  TestSocket.last.hello(start, end);
  return TestSocket.last;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", TestSocket);
  TestSocket.opened = [];
});

afterEach(() => {
  stream.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("output", () => {
  it("prints each byte once where frames overlap what it has", () => {
    const on = screen();
    const socket = connect(on, 100, 100);
    socket.output(100, "hello ");
    socket.output(103, "lo world");
    socket.output(100, "hello");
    expect(on.text()).toBe("hello world");
    expect(stream.offset).toBe(111);
  });

  it("shows a screen that a real terminal draws the same after a resumed connection", async () => {
    vi.useRealTimers();
    const terminal = new Terminal({ cols: 40, rows: 5, allowProposedApi: true });
    const socket = connect({ ...screen(), write: (data, done) => terminal.write(data, done) });
    socket.output(0, "\x1b[31mred\x1b[0m pl");
    socket.close(1006);
    await vi.waitUntil(() => TestSocket.opened.length === 2);
    TestSocket.last.hello(0, 20);
    TestSocket.last.output(5, "red\x1b[0m plain");
    await new Promise<void>((resolve) => terminal.write("", resolve));
    expect(terminal.buffer.active.getLine(0)?.translateToString(true)).toBe("red plain");
    terminal.dispose();
  });

  it("acknowledges what is on the screen, every 64 KiB and at the end of a burst", () => {
    const on = screen();
    const waiting: (() => void)[] = [];
    on.write.mockImplementation((_data, done) => void waiting.push(done));
    const socket = connect(on);
    const before = socket.acknowledged.length;
    for (let offset = 0; offset < ACK_EVERY * 2 - 1024; offset += 1024) socket.output(offset, "x".repeat(1024));
    expect(socket.acknowledged.length).toBe(before);
    for (const done of waiting.splice(0, 65)) done();
    expect(socket.acknowledged.slice(before)).toEqual([ACK_EVERY]);
    for (const done of waiting) done();
    expect(socket.acknowledged.at(-1)).toBe(ACK_EVERY);
    vi.advanceTimersByTime(ACK_QUIET_MS);
    expect(socket.acknowledged.at(-1)).toBe(ACK_EVERY * 2 - 1024);
  });
});

describe("a lost connection", () => {
  it("resumes at its offset, and says again what it has shown", () => {
    const on = screen();
    const socket = connect(on);
    socket.output(0, "abc");
    socket.close(1006);
    expect(on.lost).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(400);
    expect(TestSocket.last.url).toMatch(/^ws:\/\/site\/ws\/terminals\/t\?client=[0-9a-f]{32}&offset=3$/);
    expect(TestSocket.last.url.slice(0, -"&offset=3".length)).toBe(socket.url);
    TestSocket.last.hello(0, 3);
    expect(TestSocket.last.acknowledged).toEqual([3]);
    expect(on.reset).not.toHaveBeenCalled();
  });

  it.each([
    ["the bytes in between are gone", 50, 60],
    ["the stream is another one", 0, 2],
  ])("draws afresh where %s", (_why, start, end) => {
    const on = screen();
    connect(on).output(0, "old text");
    TestSocket.last.close(1006);
    vi.advanceTimersByTime(400);
    TestSocket.last.hello(start, end);
    TestSocket.last.output(start, "new");
    expect(on.reset).toHaveBeenCalledOnce();
    expect(on.text()).toBe("new");
  });

  it("sends again what the server had not taken, from where it says, and nothing else", () => {
    const socket = connect(screen());
    for (const key of ["a", "bc", "def"]) stream.send(bytes(key));
    expect(socket.typedFrames).toEqual([[0, "a"], [1, "bc"], [3, "def"]]);
    socket.taken(1);
    socket.close(1006);
    stream.send(bytes("g"));
    vi.advanceTimersByTime(400);
    TestSocket.last.hello(0, 0, 2);
    expect(TestSocket.last.typedFrames).toEqual([[2, "c"], [3, "def"], [6, "g"]]);
  });

  it("does not type again what a server that has forgotten this page may have taken, and says so", () => {
    const on = screen();
    const socket = connect(on);
    stream.send(bytes("abc"));
    socket.taken(2);
    socket.close(1006);
    stream.send(bytes("d"));
    vi.advanceTimersByTime(400);
    TestSocket.last.hello(0, 0, 0);
    expect(TestSocket.last.typedFrames).toEqual([[0, "d"]]);
    expect(on.notice).toHaveBeenCalledWith(expect.objectContaining({ kind: "uncertain" }));
  });

  it("waits longer after each failure, at most about 12 s", () => {
    connect(screen()).close(1006);
    const gaps: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const count = TestSocket.opened.length;
      let waited = 0;
      while (TestSocket.opened.length === count) {
        vi.advanceTimersByTime(50);
        waited += 50;
      }
      gaps.push(waited);
      TestSocket.last.close(1006);
    }
    expect(gaps[0]).toBeLessThanOrEqual(400);
    expect(gaps[3]).toBeGreaterThanOrEqual(2000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(12_050);
  });

  it("comes back at once when the network does", () => {
    connect(screen()).close(1006);
    window.dispatchEvent(new Event("online"));
    expect(TestSocket.opened.length).toBe(2);
  });

  it("sends what was typed meanwhile after hello, and takes no more than 64 KiB", () => {
    const socket = connect(screen());
    socket.close(1006);
    expect(stream.send(bytes("ls\r"))).toBe(true);
    expect(stream.send(bytes("x".repeat(64 * 1024)))).toBe(false);
    vi.advanceTimersByTime(400);
    expect(TestSocket.last.typed).toBe("");
    TestSocket.last.hello(0, 0);
    expect(TestSocket.last.typed).toBe("ls\r");
  });
});

describe("a page that was far behind", () => {
  it("draws afresh where the server left out what it no longer has", () => {
    const on = screen();
    const socket = connect(on, 0, 0);
    socket.output(0, "old");
    socket.output(5000, "new");
    expect(on.reset).toHaveBeenCalledOnce();
    expect(on.text()).toBe("new");
    expect(stream.offset).toBe(5003);
    vi.advanceTimersByTime(ACK_QUIET_MS);
    expect(socket.acknowledged.at(-1)).toBe(5003);
  });
});

describe("company", () => {
  it("is told on connecting and when it changes", () => {
    const on = screen();
    const socket = connect(on);
    expect(on.around).toHaveBeenLastCalledWith(expect.objectContaining({ role: "owner", write: true }));
    socket.around({ columns: 100, rows: 40, tabs: 2 });
    expect(on.around).toHaveBeenLastCalledWith(expect.objectContaining({ columns: 100, rows: 40, tabs: 2 }));
  });
});

describe("an end", () => {
  it.each([
    [4401, "signed-out"],
    [4403, "not-yours"],
    [4404, "not-found"],
    [4410, "ended"],
  ])("close code %i is told as %s and not tried again", (code, refusal) => {
    const on = screen();
    connect(on).close(code);
    expect(on.refused).toHaveBeenCalledWith(refusal);
    vi.advanceTimersByTime(60_000);
    expect(TestSocket.opened.length).toBe(1);
  });

  it("does not come back to a shell that has exited", () => {
    const on = screen();
    const socket = connect(on);
    socket.exit(3);
    socket.close(1000);
    expect(on.exited).toHaveBeenCalledWith(3);
    vi.advanceTimersByTime(60_000);
    expect(TestSocket.opened.length).toBe(1);
  });
});

describe("resize", () => {
  it("sends the last of many sizes, once", () => {
    const socket = connect(screen());
    for (let columns = 80; columns <= 120; columns += 10) stream.resize(columns, 30);
    vi.advanceTimersByTime(100);
    stream.resize(120, 30);
    vi.advanceTimersByTime(100);
    expect(socket.sizes).toEqual([[120, 30]]);
  });

  it("is said again when the page is looked at: the last to be looked at decides", () => {
    const socket = connect(screen());
    stream.resize(120, 30);
    vi.advanceTimersByTime(100);
    const hidden = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    stream.resize(100, 30);
    vi.advanceTimersByTime(100);
    expect(socket.sizes).toEqual([[120, 30]]);
    hidden.mockRestore();
    document.dispatchEvent(new Event("visibilitychange"));
    expect(socket.sizes).toEqual([[120, 30], [100, 30]]);
  });
});
