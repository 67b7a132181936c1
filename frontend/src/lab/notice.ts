/** The line at the foot of the terminal: one sentence, one thing to do about it, and a way to dismiss it. */
import { size } from "../clock";
import { element, words } from "../element";
import { recall, remember } from "../preferences";
import type { Notice } from "./api";
import { t } from "../i18n";

const DISMISSED = "notice";
const SHOW_PASTE_ABOVE = 256 * 1024;

export class NoticeBar {
  private pasteTotal = 0;
  private limitShown = "";

  constructor(private readonly bar: HTMLElement) {}

  tell(text: string, action?: { label: string; act: () => void }): void {
    const parts: HTMLElement[] = [element("span", { class: "text" }, text)];
    if (action) parts.push(this.button(action.label, action.act));
    parts.push(this.button(t("Dismiss"), () => undefined, "quiet"));
    this.bar.replaceChildren(...parts);
    this.bar.hidden = false;
  }

  /** The newest limit the lab's machine ran into. It is shown until it is dismissed, here or in another tab, and then never again. */
  limits(lab: string, notices: Notice[]): void {
    const newest = notices.at(-1);
    const name = `${lab} ${newest?.id}`;
    if (!newest || name === this.limitShown || name === recall(DISMISSED)) return;
    this.limitShown = name;
    const text = element("span", { class: "text" }, element("strong", {}, `${newest.title}. `), ...words(newest.text));
    this.bar.replaceChildren(
      text,
      this.button(t("Dismiss"), () => remember(DISMISSED, name), "quiet"),
    );
    this.bar.hidden = false;
  }

  /** A big paste on its way. Smaller ones are over before they could be read about. */
  pasting(bytes: number, cancel: () => void): void {
    if (bytes === 0) {
      if (this.pasteTotal > 0) this.hide();
      this.pasteTotal = 0;
      return;
    }
    if (this.pasteTotal === 0 && bytes < SHOW_PASTE_ABOVE) return;
    if (this.pasteTotal === 0) {
      const progress = element("progress", { "aria-label": t("Pasted") });
      this.bar.replaceChildren(element("span", { class: "text" }), progress, this.button(t("Cancel"), cancel));
      this.bar.hidden = false;
    }
    this.pasteTotal = Math.max(this.pasteTotal, bytes);
    const text = this.bar.querySelector(".text");
    const progress = this.bar.querySelector("progress");
    if (text) text.textContent = t("Pasting: {done} of {total}", { done: size(this.pasteTotal - bytes), total: size(this.pasteTotal) });
    if (progress) progress.value = (this.pasteTotal - bytes) / this.pasteTotal;
  }

  hide(): void {
    this.bar.hidden = true;
    this.bar.replaceChildren();
  }

  private button(label: string, act: () => void, kind = ""): HTMLButtonElement {
    const button = element("button", { type: "button", class: `button compact ${kind}` }, label);
    button.addEventListener("click", () => {
      this.hide();
      act();
    });
    return button;
  }
}
