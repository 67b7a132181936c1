import { Terminal } from "@xterm/headless";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ShellMarks } from "../src/terminal/marks";
import { outcome, QUIET_MS } from "../src/terminal/outcome";

const PROMPT = "\x1b]133;D;0\x07\x1b]133;A\x07root@lab:~# \x1b]133;B\x07";
const ran = (command: string, output: string, status: number): string =>
  `${command}\r\n\x1b]133;C\x07${output}\x1b]133;D;${status}\x07\x1b]133;A\x07root@lab:~# \x1b]133;B\x07`;

function shell(): { terminal: Terminal; marks: ShellMarks; prints: (text: string) => Promise<void> } {
  const terminal = new Terminal({ cols: 80, rows: 10, allowProposedApi: true });
  return {
    terminal,
    marks: new ShellMarks(terminal as never),
    prints: (text) => new Promise((done) => terminal.write(text, done)),
  };
}

describe("what has the terminal", () => {
  it("the shell says with its marks", async () => {
    const { marks, prints } = shell();
    expect(marks.atPrompt).toBe(false);
    await prints(PROMPT);
    expect([marks.prompt, marks.atPrompt, marks.halfTyped]).toEqual([true, true, false]);
    await prints("rm -r");
    expect(marks.halfTyped).toBe(true);
    await prints("\r\n\x1b]133;C\x07Your name? ");
    expect([marks.prompt, marks.running, marks.atPrompt]).toEqual([false, true, false]);
  });

  it.each(["root@lab:~# ", "/ # ", "$ ", "mysql> ", ">>> ", "bash-5.2$ "])("%s is a prompt of a shell without marks", async (prompt) => {
    const { marks, prints } = shell();
    await prints(`\x1b]133;C\x07some output\r\n${prompt}`);
    expect(marks.atPrompt).toBe(true);
  });

  it.each(["Password: ", "Continue? [y/N] ", "> ", "", "50%", "root@lab:~# ls"])("%j is none", async (line) => {
    const { marks, prints } = shell();
    await prints(`out\r\n${line}`);
    expect(marks.atPrompt).toBe(false);
  });

  it("no full-screen program is taken for a prompt", async () => {
    const { marks, prints } = shell();
    await prints("\x1b[?1049h# ");
    expect(marks.atPrompt).toBe(false);
  });
});

describe("how a command ended", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  /** xterm.js writes behind a timer of its own. */
  const printed = async (prints: (text: string) => Promise<void>, text: string): Promise<void> => {
    const done = prints(text);
    await vi.advanceTimersByTimeAsync(1);
    await done;
  };
  const watch = (of: ReturnType<typeof shell>, commands: number, signal = new AbortController().signal) =>
    outcome({ marks: of.marks, printed: of.terminal.onWriteParsed as never }, commands, signal);

  it("its status comes with the next prompt", async () => {
    const one = shell();
    await printed(one.prints, PROMPT);
    const ended = watch(one, 1);
    await printed(one.prints, ran("false", "", 1));
    expect(await ended).toEqual({ status: 1 });
  });

  it("of several in one paste the last one counts", async () => {
    const one = shell();
    await printed(one.prints, PROMPT);
    const ended = watch(one, 2);
    await printed(one.prints, ran("false", "", 1));
    await printed(one.prints, ran("true", "", 0));
    await vi.advanceTimersByTimeAsync(300);
    expect(await ended).toEqual({ status: 0 });
  });

  it("a shell within the shell is told by its quiet prompt", async () => {
    const one = shell();
    await printed(one.prints, PROMPT);
    const ended = watch(one, 1);
    await printed(one.prints, "docker run -it busybox\r\n\x1b]133;C\x07/ # ");
    await vi.advanceTimersByTimeAsync(QUIET_MS + 10);
    expect(await ended).toEqual({ status: null });
  });

  it("a question of a program is no end", async () => {
    const one = shell();
    await printed(one.prints, PROMPT);
    const abort = new AbortController();
    const ended = watch(one, 1, abort.signal);
    await printed(one.prints, "read x\r\n\x1b]133;C\x07Your name? ");
    await vi.advanceTimersByTimeAsync(10 * QUIET_MS);
    abort.abort();
    expect(await ended).toBeNull();
  });
});
