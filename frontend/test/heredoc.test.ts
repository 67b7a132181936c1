import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { heredoc } from "../src/lesson/heredoc";

describe("heredoc", () => {
  it.each([
    ["plain text", "web:\n  image: nginx\n"],
    ["what a shell would expand", "$HOME `id` \\ 'single' \"double\" !!\n"],
    ["its own end mark", "a\nEND\nEND_\nb\n"],
    ["no newline at the end", "one line"],
  ])("writes %s through a real shell as it is", (_what, content) => {
    const path = join(mkdtempSync(join(tmpdir(), "heredoc-")), "a folder", "it's.yaml");
    execFileSync("bash", ["-c", heredoc(path, content)]);
    expect(readFileSync(path, "utf8")).toBe(content.replace(/\n*$/, "\n"));
  });
});
