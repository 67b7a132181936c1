import { readFileSync } from "node:fs";
import { Terminal } from "@xterm/headless";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parse, Player } from "../src/player";

const recording = parse(readFileSync("src/recordings/container.cast", "utf8"));
const template = readFileSync("../lessons/templates/lessons/_home_visitor.html", "utf8");

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("the transcript in the page says what the recording comes to", async () => {
  vi.useRealTimers();
  const terminal = new Terminal({ cols: recording.width, rows: recording.height, allowProposedApi: true });
  await new Promise<void>((done) => terminal.write(recording.events.map((event) => event[2]).join(""), done));
  let shown = "";
  for (let y = 0; y < terminal.buffer.active.length; y++) {
    const line = terminal.buffer.active.getLine(y);
    if (line) shown += (line.isWrapped ? "" : "\n") + line.translateToString(true).trimEnd();
  }
  const transcript = /<pre[^>]*>([^]*?)<\/pre>/.exec(template)?.[1] ?? "";
  const words = transcript.replace("{% templatetag openvariable %}", "{{").replace("{% templatetag closevariable %}", "}}").trimEnd();
  // The digest is of no use to anybody who listens.
  expect(shown.trim().replace(/\nDigest: .*/, "")).toBe(words);
});

test("it plays in its own time, pauses, goes on, and begins again", () => {
  let screen = "";
  const player = new Player(
    [[0, "o", "a"], [1, "o", "b"], [2, "o", "c"]],
    (text) => (screen = text === "\x1bc" ? "" : screen + text),
    () => undefined,
  );
  player.play();
  vi.advanceTimersByTime(1100);
  expect(screen).toBe("ab");
  player.pause();
  vi.advanceTimersByTime(5000);
  expect([screen, player.playing, player.over]).toEqual(["ab", false, false]);
  player.play();
  vi.advanceTimersByTime(1100);
  expect([screen, player.playing, player.over]).toEqual(["abc", false, true]);
  player.play();
  expect(screen).toBe("a");
});
