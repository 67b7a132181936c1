/** CodeMirror, in a chunk of its own: loaded when the first file is opened. One view, one state for each open file. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension, type Text } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { languageOf } from "./languages";
import { lineEnds, type Lines } from "./lines";

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "var(--code)", backgroundColor: "var(--terminal)", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontVariantLigatures: "none", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--accent)" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--terminal)", color: "var(--ink-soft)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 6%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 24%, transparent)",
  },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--warn) 20%, transparent)" },
  ".cm-panels": { backgroundColor: "var(--surface)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-textfield": { backgroundColor: "var(--paper)", border: "1px solid var(--line-strong)", borderRadius: "5px" },
  ".cm-button": { background: "var(--paper)", border: "1px solid var(--line-strong)", borderRadius: "5px", color: "var(--ink)" },
  ".cm-searchMatch": { backgroundColor: "var(--warn-soft)", outline: "1px solid var(--warn)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.meta], color: "var(--token-comment)" },
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--token-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--token-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.standard(tags.name)], color: "var(--token-number)" },
  { tag: [tags.propertyName, tags.tagName, tags.attributeName, tags.definition(tags.name), tags.className], color: "var(--token-name)" },
  { tag: [tags.heading, tags.strong], fontWeight: "700" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: [tags.link, tags.url], color: "var(--token-name)", textDecoration: "underline" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

/** An open file: what the editor has, and what the machine had when it was read or saved. */
export class Doc {
  state!: EditorState;
  private saved!: Text;
  private lines!: Lines;
  private readonly language = new Compartment();

  constructor(
    public path: string,
    public name: string,
    text: string,
    public tag: string,
    private readonly extensions: Extension,
  ) {
    this.take(text, tag);
  }

  /** The machine's text takes the place of the editor's. */
  take(text: string, tag: string): void {
    this.lines = lineEnds(text);
    const split = this.lines.strict ? EditorState.lineSeparator.of("\n") : [];
    this.state = EditorState.create({ doc: text, extensions: [this.language.of([]), split, this.extensions] });
    this.saved = this.state.doc;
    this.tag = tag;
  }

  get changed(): boolean {
    return !this.state.doc.eq(this.saved);
  }

  get text(): string {
    return this.state.doc.sliceString(0, undefined, this.lines.end);
  }

  /** What `text` was when it was sent is in the machine now, with this tag. */
  kept(doc: Text, tag: string): void {
    this.saved = doc;
    this.tag = tag;
  }

  async highlight(apply: (effect: ReturnType<Compartment["reconfigure"]>) => void): Promise<void> {
    const language = await languageOf(this.name, this.state.doc.sliceString(0, 100))?.load();
    apply(this.language.reconfigure(language ?? []));
  }
}

export class Editor {
  private readonly view: EditorView;
  private doc: Doc | null = null;

  constructor(
    host: HTMLElement,
    private readonly events: { changed(): void; save(): void },
  ) {
    this.view = new EditorView({ parent: host });
  }

  make(path: string, name: string, text: string, tag: string): Doc {
    return new Doc(path, name, text, tag, [
      lineNumbers(),
      highlightSpecialChars(),
      history(),
      drawSelection(),
      indentOnInput(),
      bracketMatching(),
      highlightActiveLine(),
      highlightSelectionMatches(),
      search({ top: true }),
      indentUnit.of("    "),
      syntaxHighlighting(colours),
      theme,
      EditorView.contentAttributes.of({ "aria-label": name }),
      keymap.of([{ key: "Mod-s", preventDefault: true, run: () => (this.events.save(), true) }]),
      keymap.of([...searchKeymap, ...historyKeymap, indentWithTab, ...defaultKeymap]),
      EditorView.updateListener.of((update) => {
        const was = this.doc?.changed;
        if (this.doc) this.doc.state = update.state;
        if (this.doc?.changed !== was) this.events.changed();
      }),
    ]);
  }

  show(doc: Doc): void {
    this.doc = doc;
    this.view.setState(doc.state);
    void doc.highlight((effects) => {
      if (this.doc === doc) this.view.dispatch({ effects });
      else doc.state = doc.state.update({ effects }).state;
    });
  }

  focus(): void {
    this.view.focus();
  }
}
