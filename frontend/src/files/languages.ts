/** A file's language, by its name. Each comes in a chunk of its own, when it is first needed. */
import { StreamLanguage } from "@codemirror/language";
import type { Extension } from "@codemirror/state";

const LANGUAGES: Record<string, () => Promise<Extension>> = {
  shell: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/shell")).shell),
  dockerfile: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/dockerfile")).dockerFile),
  python: async () => (await import("@codemirror/lang-python")).python(),
  yaml: async () => (await import("@codemirror/lang-yaml")).yaml(),
  json: async () => (await import("@codemirror/lang-json")).json(),
  javascript: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true, typescript: true }),
  html: async () => (await import("@codemirror/lang-html")).html(),
  css: async () => (await import("@codemirror/lang-css")).css(),
  markdown: async () => (await import("@codemirror/lang-markdown")).markdown(),
};

const ENDINGS: [RegExp, string][] = [
  [/^(docker|container)file|\.dockerfile$/i, "dockerfile"],
  [/\.(sh|bash|zsh|env)$|^\.(bash|profile|zsh|env)|^bash\./, "shell"],
  [/\.pyi?$/, "python"],
  [/\.ya?ml$/, "yaml"],
  [/\.json$/, "json"],
  [/\.(m?[jt]s|cjs|[jt]sx)$/, "javascript"],
  [/\.html?$/, "html"],
  [/\.css$/, "css"],
  [/\.(md|markdown)$/, "markdown"],
];

/** Of a name and, for a script without an ending, its first line. */
export function languageOf(name: string, text: string): string | null {
  const found = ENDINGS.find(([pattern]) => pattern.test(name));
  if (found) return found[1];
  const program = /^#!.*\b(python|bash|sh|node)/.exec(text)?.[1];
  return program ? ({ python: "python", node: "javascript" }[program] ?? "shell") : null;
}

export async function load(language: string | null): Promise<Extension> {
  return (language && (await LANGUAGES[language]?.())) || [];
}
