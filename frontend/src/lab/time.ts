/** How long the machine will stay: the words in the bar, and the warning before it goes. */
import { countdown, duration, exact, secondsUntil } from "../clock";
import { element } from "../element";
import type { Lab } from "./api";

const STATES: Record<Lab["state"], string> = {
  queued: "Waiting",
  creating: "Starting",
  running: "Running",
  stopping: "Stopping",
  stopped: "Stopped",
  failed: "Failed",
};

export class TimeBar {
  private lab: Lab | null = null;
  private readonly words = element("span", { class: "time" });
  private readonly text = element("span", { class: "text", role: "status" });
  private readonly count = element("span", { class: "countdown" });
  private readonly keep = element("button", { type: "button", class: "button compact" }, "Keep it");

  constructor(
    private readonly state: HTMLElement,
    private readonly warning: HTMLElement,
    keep: () => void,
  ) {
    state.replaceChildren(element("span", { class: "dot", "aria-hidden": "true" }), this.words);
    warning.replaceChildren(this.text, this.count, this.keep);
    this.keep.addEventListener("click", keep);
    setInterval(() => this.tick(), 1000);
  }

  show(lab: Lab | null, words = "No machine"): void {
    this.lab = lab;
    this.words.textContent = lab ? STATES[lab.state] : words;
    this.state.title = lab?.deadline_at ? `Until ${exact(lab.deadline_at)}` : "";
    const warning = lab?.state === "running" ? lab.warning : null;
    this.warning.hidden = !warning;
    // Set only when it changes: a screen reader reads it each time.
    if (warning && this.text.textContent !== warning.text) this.text.textContent = warning.text;
    this.keep.hidden = warning?.reason !== "idle";
    this.tick();
  }

  private tick(): void {
    const lab = this.lab;
    if (lab?.state !== "running") return;
    if (lab.deadline_at) this.words.textContent = `${duration(secondsUntil(lab.deadline_at))} left`;
    if (lab.warning) this.count.textContent = countdown(secondsUntil(lab.warning.ends_at));
  }
}
