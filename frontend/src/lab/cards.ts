/** What covers the terminal while there is none: one title, one text, one way on. */
import { element, words } from "../element";
import { type End, LabError, type Queue, type Step } from "./api";
import { t } from "../i18n";

export interface Way {
  label: string;
  /** An address to go to, or something to do. */
  go: string | (() => void);
}

export function card(title: string, text: string, way: Way | null, more: (string | Node)[] = []): HTMLElement {
  const box = element("div", { class: "lab-card" }, element("h2", {}, title), ...(text ? [element("p", {}, ...words(text))] : []), ...more);
  if (way) box.append(element("div", { class: "actions" }, button(way)));
  return box;
}

export function button(way: Way, kind = "primary"): HTMLElement {
  if (typeof way.go === "string") return element("a", { class: `button ${kind}`, href: way.go }, way.label);
  const made = element("button", { type: "button", class: `button ${kind}` }, way.label);
  made.addEventListener("click", way.go);
  return made;
}

export function endCard(end: End, restart: () => void): HTMLElement {
  return card(end.title, end.text, end.can_restart ? { label: t("Restart"), go: restart } : { label: t("See my machines"), go: "/#machines" });
}

export function errorCard(error: unknown, again: () => void, login: string): HTMLElement {
  if (!(error instanceof LabError)) {
    console.error(error);
    return card(t("Something in this page failed"), t("Reload the page. Your machine is not touched by that."), { label: t("Reload"), go: location.href });
  }
  const ways: Record<string, Way> = {
    "signed-out": { label: t("Sign in"), go: login },
    "over-quota": { label: t("See my machines"), go: "/#machines" },
    forbidden: { label: t("Sign in"), go: login },
    "not-found": { label: t("See my machines"), go: "/#machines" },
    stale: { label: t("Reload"), go: () => location.reload() },
  };
  return card(error.title, error.text, ways[error.code] ?? { label: t("Try again"), go: again });
}

/** The place in the line. `showPlace` changes it in words alone, so that Leave keeps the focus and the rest is not read out again. */
export function queueCard(queue: Queue, leave: () => void): HTMLElement {
  const text = t("Every machine of this site is in use. Yours starts by itself as soon as one is free. Keep this page open while you wait.");
  const button = element("button", { type: "button", class: "button" }, t("Leave the line"));
  button.addEventListener("click", leave);
  const box = card("", text, null, [element("div", { class: "actions" }, button)]);
  box.classList.add("lab-queue");
  showPlace(box, queue);
  return box;
}

export function showPlace(box: Element, { position, length }: Queue): void {
  const title = box.querySelector("h2");
  const words = position === 1 ? t("You are next in line") : t("You are number {position} of {length} in line", { position, length });
  if (title && title.textContent !== words) title.textContent = words;
}

/** The engine's steps as they happen. */
export function stepList(steps: Step[]): HTMLElement {
  const list = element("ol", { class: "steps" });
  for (const step of steps) {
    const time = step.state === "done" && step.ms !== null ? `${step.ms} ms` : "";
    list.append(
      element(
        "li",
        { class: step.state },
        element("span", { class: "tick", "aria-hidden": "true" }, step.state === "done" ? "✓" : "›"),
        element("span", {}, step.label, element("span", { class: "visually-hidden" }, ` ${step.state === "done" ? t("done") : t("under way")}`)),
        element("span", {}, time),
      ),
    );
  }
  return list;
}
