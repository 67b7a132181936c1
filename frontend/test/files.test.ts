import { describe, expect, it } from "vitest";
import { languageOf } from "../src/files/languages";
import { lineEnds } from "../src/files/lines";
import { decodeName, encodeName, encodePath, join, parent, problem, shown, within } from "../src/files/names";

describe("names", () => {
  it("go to the server as bytes and come back", () => {
    for (const name of ["a.txt", "mit Leerzeichen", "100%", "a+b&c=d?#", "naïve 日本 🙂", "quote'\"!*()", "line\nend"]) {
      expect(encodeName(name)).toMatch(/^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+$/);
      expect(decodeName(encodeName(name))).toBe(name);
    }
    expect(encodePath("/root/a b/c")).toBe("/root/a%20b/c");
  });

  it("are shown on one line, and cannot look like another", () => {
    expect(shown("new%0Aline")).toBe("new\u{fffd}line");
    expect(shown("%FF%FE")).toBe("\u{fffd}\u{fffd}");
    expect(shown("%E2%80%AEtxt.exe")).toBe("\u{fffd}txt.exe");
  });

  it("that a person types are looked at", () => {
    for (const bad of ["", "a/b", ".", "..", "a\0", "é".repeat(128)]) expect(problem(bad)).not.toBeNull();
    for (const good of ["a", ".bashrc", "...", "x".repeat(255)]) expect(problem(good)).toBeNull();
  });

  it("make paths", () => {
    expect([join("/", "a"), join("/a", "b"), parent("/a/b"), parent("/a")]).toEqual(["/a", "/a/b", "/a", "/"]);
    expect([within("/a/b", "/a"), within("/ab", "/a"), within("/a", "/a"), within("/a", "/")]).toEqual([true, false, true, true]);
  });
});

describe("line ends", () => {
  it.each(["", "a", "a\nb\n", "a\r\nb\r\n", "a\r\nb", "a\rb", "a\r\nb\n", "\r\r\n\n", "a\n\rb"])("of %j stay", (text) => {
    const { end, strict } = lineEnds(text);
    const lines = text.split(strict ? "\n" : /\r\n?|\n/);
    expect(lines.join(end)).toBe(text);
  });
});

describe("languages", () => {
  it.each([
    ["Dockerfile", "", "dockerfile"], ["Dockerfile.dev", "", "dockerfile"], ["run.sh", "", "shell"], [".bashrc", "", "shell"],
    ["a.py", "", "python"], ["compose.yaml", "", "yaml"], ["a.yml", "", "yaml"], ["a.json", "", "json"], ["a.js", "", "javascript"],
    ["a.html", "", "html"], ["a.css", "", "css"], ["README.md", "", "markdown"], ["notes.txt", "", null],
    ["script", "#!/usr/bin/env python3", "python"], ["script", "#!/bin/sh", "shell"],
    ["script", "#!/bin/bash", "shell"], ["script", "#!/usr/bin/env node", "javascript"], ["script", "words", null],
  ])("%s is known", (name, text, language) => expect(languageOf(name, text)?.name ?? null).toBe(language)); // prettier-ignore
});
