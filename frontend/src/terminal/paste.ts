/** What may be pasted at once, and what is shown to the person first. */
import { ask } from "../dialog";
import { element } from "../element";
import { size } from "../clock";
import { t } from "../i18n";

export const LARGE = 1024 * 1024;
/** The server holds 16 MiB of input for a terminal that is slower than the paste. */
export const MOST = 12 * 1024 * 1024;
const PREVIEW_CHARACTERS = 4000;

export type Plan = "now" | "ask-large" | "ask-lines";

/** Without bracketed paste a shell runs each pasted line as it arrives, so several lines are shown first. */
export function plan(text: string, bracketed: boolean): Plan {
  if (text.length > LARGE) return "ask-large";
  return !bracketed && /[\r\n]./s.test(text) ? "ask-lines" : "now";
}

/** Line ends as the Enter key sends them. An escape in pasted text could end the bracket early and run the rest. */
export function forTerminal(text: string, bracketed: boolean): string {
  const typed = text.replace(/\r?\n/g, "\r");
  return bracketed ? `\x1b[200~${typed.replaceAll("\x1b", "\u241b")}\x1b[201~` : typed;
}

export async function mayPaste(text: string, bracketed: boolean): Promise<boolean> {
  switch (plan(text, bracketed)) {
    case "now":
      return true;
    case "ask-large":
      return ask({
        title: t("Paste {size}?", { size: size(text.length) }),
        body: [t("That is a lot for a terminal and may take a while. You can cancel at any time with Ctrl+C.")],
        confirm: t("Paste it"),
      });
    case "ask-lines": {
      const lines = text.replace(/[\r\n]+$/, "").split(/\r?\n/).length;
      const shown = text.length > PREVIEW_CHARACTERS ? `${text.slice(0, PREVIEW_CHARACTERS)}\n…` : text;
      return ask({
        title: t("Paste {lines} lines?", { lines }),
        body: [t("The program in the terminal will take each line as soon as it arrives."), element("pre", { tabindex: "0" }, shown)],
        confirm: t("Paste them"),
      });
    }
  }
}
