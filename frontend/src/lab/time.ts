/** How long the machine will stay: the words in the bar, and the warning before it goes. */
import { countdown, duration, exact, secondsUntil } from "../clock";
import { element } from "../element";
import type { Lab } from "./api";
import { t } from "../i18n";

const STATES: Record<Lab["state"], string> = {
  queued: t("Waiting"),
  creating: t("Starting"),
  running: t("Running"),
  stopping: t("Stopping"),
  stopped: t("Stopped"),
  failed: t("Failed"),
};

export class TimeBar {
  private lab: Lab | null = null;
  private readonly words = element("button", { type: "button", class: "time", "aria-haspopup": "menu", title: "" });
  private readonly text = element("span", { class: "text", role: "status" });
  private readonly count = element("span", { class: "countdown" });
  private readonly keep = element("button", { type: "button", class: "button compact" }, t("Keep it"));
  private readonly extend = element("button", { type: "button", class: "button compact" }, t("Add an hour"));

  constructor(
    private readonly state: HTMLElement,
    private readonly warning: HTMLElement,
    keep: () => void,
    extend: () => void,
  ) {
    state.replaceChildren(element("span", { class: "dot", "aria-hidden": "true" }), this.words);
    warning.replaceChildren(this.text, this.count, this.keep, this.extend);
    this.keep.addEventListener("click", keep);
    this.extend.addEventListener("click", extend);
    setInterval(() => this.tick(), 1000);
  }

  show(lab: Lab | null, words = t("No machine")): void {
    this.lab = lab;
    this.words.textContent = lab ? STATES[lab.state] : words;
    this.words.disabled = lab?.state !== "running";
    this.state.title = lab?.deadline_at ? t("Until {time}", { time: exact(lab.deadline_at) }) : "";
    const warning = lab?.state === "running" ? lab.warning : null;
    this.warning.hidden = !warning;
    // Set only when it changes: a screen reader reads it each time.
    if (warning && this.text.textContent !== warning.text) this.text.textContent = warning.text;
    this.keep.hidden = warning?.reason !== "idle";
    this.extend.hidden = warning?.reason !== "deadline";
    this.tick();
  }

  /** How long the machine stays, in words; empty without one. */
  get left(): string {
    return this.lab?.deadline_at ? t("{time} left", { time: duration(secondsUntil(this.lab.deadline_at)) }) : "";
  }

  private tick(): void {
    const lab = this.lab;
    if (lab?.state !== "running") return;
    if (lab.deadline_at) this.words.textContent = this.left;
    if (lab.warning) this.count.textContent = countdown(secondsUntil(lab.warning.ends_at));
  }
}
