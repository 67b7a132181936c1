/** Saved machines in the pane: the question before saving, and the cards that resume one. */
import { t } from "../i18n";
import { exact } from "../clock";
import { askText } from "../dialog";
import { element } from "../element";
import type { End, Kept, Saved } from "./api";
import { button, card } from "./cards";

const SHOWN = 4;

/** The saved machines of this lesson, as the page came with them. */
export const savedHere = (): Saved[] => JSON.parse(document.getElementById("saved")?.textContent ?? "[]") as Saved[];

/** The name to save under; null when the learner thinks better of it. */
export function askName(suggested: string): Promise<string | null> {
  const field = element("input", { id: "saved-name", type: "text", maxlength: "100", autocomplete: "off", value: suggested });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    field.closest("dialog")?.close("yes");
  });
  return askText({
    title: t("Save this machine?"),
    text: t("All its files are kept, with Docker's images and containers. Programs that run in it are ended, and the machine stops."),
    field,
    label: t("Name"),
    help: t("It is listed under this name here and on your home page."),
    missing: t("Give it a name, so that you find it again."),
    confirm: t("Save and stop"),
    cancel: t("Not now"),
  });
}

/** Beside a fresh machine there are others to go on with. */
export function choiceCard(title: string, text: string, saved: Saved[], resume: (id: string) => void, fresh: () => void): HTMLElement {
  const list = element("ul", { class: "saved-choice" });
  for (const { id, name, size, saved_at, why_not } of saved.slice(0, SHOWN)) {
    const facts = element("span", { class: "small" }, t("{size}, saved {time}", { size, time: exact(saved_at) }));
    const go = button({ label: t("Resume"), go: () => resume(id) }, "");
    go.setAttribute("aria-label", t("Resume {name}", { name }));
    list.append(element("li", {}, element("strong", {}, name), facts, why_not ? element("span", { class: "small" }, why_not) : go));
  }
  if (saved.length > SHOWN) list.append(element("li", {}, element("span", { class: "small" }, t("{count} more are on your home page.", { count: saved.length - SHOWN }))));
  const way = element("div", { class: "actions" }, button({ label: t("Start a fresh machine"), go: fresh }, saved[0]?.why_not ? "primary" : ""));
  list.querySelector("button")?.classList.add("primary");
  return card(title, text, null, [list, way]);
}

/** The end of a machine whose files are kept. */
export function keptCard(end: End, kept: Kept, resume: (id: string) => void, fresh: () => void): HTMLElement {
  const ways = element("div", { class: "actions" });
  if (kept.resumable) ways.append(button({ label: t("Resume"), go: () => resume(kept.id) }, "primary"));
  ways.append(button({ label: t("Start a fresh machine"), go: fresh }, kept.resumable ? "" : "primary"));
  return card(end.title, end.text, null, [ways]);
}
