/** The search bar over a terminal: Ctrl+Shift+F opens it, Escape gives the focus back. */
import { t } from "../i18n";
import type { ISearchOptions, SearchAddon } from "@xterm/addon-search";
import { element } from "../element";

export class FindBar {
  private readonly bar: HTMLElement;
  private readonly input = element("input", { type: "search", "aria-label": t("Find in this terminal"), placeholder: t("Find"), spellcheck: "false" });
  private readonly count = element("span", { class: "count", role: "status" });
  private readonly matchCase = this.button("Aa", t("Match case"), () => this.toggleCase());

  constructor(
    host: HTMLElement,
    private readonly addon: SearchAddon,
    private readonly colours: () => { match: string; active: string; border: string },
    private readonly leave: () => void,
  ) {
    this.matchCase.setAttribute("aria-pressed", "false");
    this.bar = element(
      "div",
      { class: "find-bar", role: "search", "aria-label": t("Find in this terminal") },
      this.input,
      this.count,
      this.matchCase,
      this.button("↑", t("Previous match"), () => this.find("previous")),
      this.button("↓", t("Next match"), () => this.find("next")),
      this.button("×", t("Close the search"), () => this.close()),
    );
    this.bar.hidden = true;
    host.append(this.bar);
    addon.onDidChangeResults(({ resultIndex, resultCount }) => this.counted(resultIndex, resultCount));
    this.input.addEventListener("input", () => this.find("newest"));
    this.bar.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
      else if (event.key === "Enter" && event.target === this.input) this.find(event.shiftKey ? "previous" : "next");
      else if (event.key.toLowerCase() === "f" && event.ctrlKey && event.shiftKey) this.input.select();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  open(selected: string): void {
    this.bar.hidden = false;
    if (selected && !selected.includes("\n")) this.input.value = selected;
    this.input.focus();
    this.input.select();
    if (this.input.value) this.find("newest");
  }

  close(): void {
    this.bar.hidden = true;
    this.count.textContent = "";
    this.addon.clearDecorations();
    this.leave();
  }

  /** `newest` looks upwards from the end, and stays at its match while more of the word is typed. */
  private find(which: "newest" | "next" | "previous"): void {
    const term = this.input.value;
    if (!term) {
      this.addon.clearDecorations();
      this.count.textContent = "";
      return;
    }
    const { match, active, border } = this.colours();
    const options: ISearchOptions = {
      caseSensitive: this.matchCase.getAttribute("aria-pressed") === "true",
      incremental: which === "newest",
      decorations: {
        matchBackground: match,
        matchOverviewRuler: match,
        activeMatchBackground: active,
        activeMatchBorder: border,
        activeMatchColorOverviewRuler: active,
      },
    };
    const found = which === "next" ? this.addon.findNext(term, options) : this.addon.findPrevious(term, options);
    if (!found) this.count.textContent = t("None");
  }

  private counted(index: number, total: number): void {
    if (this.bar.hidden || !this.input.value) return;
    // Beyond a thousand the add-on no longer says which one it is.
    this.count.textContent = total === 0 ? t("None") : index < 0 ? `${total}+` : t("{index} of {count}", { index: index + 1, count: total });
  }

  private toggleCase(): void {
    const on = this.matchCase.getAttribute("aria-pressed") !== "true";
    this.matchCase.setAttribute("aria-pressed", String(on));
    this.addon.clearDecorations();
    this.find("newest");
    this.input.focus();
  }

  private button(text: string, label: string, act: () => void): HTMLButtonElement {
    const made = element("button", { type: "button", "aria-label": label, title: label }, text);
    made.addEventListener("click", act);
    return made;
  }
}
