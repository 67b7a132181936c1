/** A file's language, by its name. Each comes in a chunk of its own, when it is first needed. */
import { LanguageDescription, LanguageSupport, StreamLanguage } from "@codemirror/language";

const LANGUAGES = [
  LanguageDescription.of({
    name: "dockerfile",
    filename: /^(docker|container)file|\.dockerfile$/i,
    load: async () => new LanguageSupport(StreamLanguage.define((await import("@codemirror/legacy-modes/mode/dockerfile")).dockerFile)),
  }),
  LanguageDescription.of({
    name: "shell",
    alias: ["bash", "sh"],
    filename: /\.(sh|bash|zsh|env)$|^\.(bash|profile|zsh|env)|^bash\./,
    load: async () => new LanguageSupport(StreamLanguage.define((await import("@codemirror/legacy-modes/mode/shell")).shell)),
  }),
  LanguageDescription.of({
    name: "python",
    filename: /\.pyi?$/,
    load: async () => (await import("@codemirror/lang-python")).python(),
  }),
  LanguageDescription.of({
    name: "yaml",
    filename: /\.ya?ml$/,
    load: async () => (await import("@codemirror/lang-yaml")).yaml(),
  }),
  LanguageDescription.of({
    name: "json",
    filename: /\.json$/,
    load: async () => (await import("@codemirror/lang-json")).json(),
  }),
  LanguageDescription.of({
    name: "javascript",
    alias: ["node"],
    filename: /\.(m?[jt]s|cjs|[jt]sx)$/,
    load: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true, typescript: true }),
  }),
  LanguageDescription.of({
    name: "html",
    filename: /\.html?$/,
    load: async () => (await import("@codemirror/lang-html")).html(),
  }),
  LanguageDescription.of({
    name: "css",
    filename: /\.css$/,
    load: async () => (await import("@codemirror/lang-css")).css(),
  }),
  LanguageDescription.of({
    name: "markdown",
    filename: /\.(md|markdown)$/,
    load: async () => (await import("@codemirror/lang-markdown")).markdown(),
  }),
];

/** Of a name and, for a script without an ending, its first line. */
export function languageOf(name: string, text: string): LanguageDescription | null {
  const program = /^#!.*\b(python|bash|sh|node)/.exec(text)?.[1] ?? "";
  return LanguageDescription.matchFilename(LANGUAGES, name) ?? LanguageDescription.matchLanguageName(LANGUAGES, program, false);
}
