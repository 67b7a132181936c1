/** "Run all": the lesson's commands one after the other, each when the one before it has ended. */
import { t } from "../i18n";
import { element } from "../element";
import { type Runner, runButtons, runStep, type Step, stepOf } from "./runner";

/** A command that does not end (a server) is left running after this, where the next one goes elsewhere or interrupts it. */
const LEFT_RUNNING_MS = 3000;
const APART = ".commands, .tldr, details, .check";

export function startRunAll(prose: HTMLElement, runner: Runner): void {
  // Hints and solutions are the learner's to open, and summaries repeat what the text has.
  const steps = runButtons(prose).filter((button) => !button.closest(APART));
  if (!runner.pane || steps.length < 2) return;
  const start = element("button", { type: "button", class: "button compact" }, t("Run all {count} commands", { count: steps.length }));
  const words = element("span", { class: "text", role: "status" });
  const progress = element("progress", { "aria-label": t("Commands run"), max: `${steps.length}`, value: "0" });
  const stop = element("button", { type: "button", class: "button compact" }, t("Stop"));
  const bar = element("div", { class: "run-all" }, start, progress, words, stop);
  progress.hidden = stop.hidden = true;
  prose.before(bar);
  let abort: AbortController | null = null;
  stop.addEventListener("click", () => abort?.abort());
  start.addEventListener("click", () => {
    abort = new AbortController();
    void all(steps, runner, abort.signal, {
      begin: () => {
        bar.classList.add("active");
        start.hidden = true;
        progress.hidden = stop.hidden = false;
        stop.focus();
      },
      step: (index, step) => {
        progress.value = index;
        words.textContent = t("{index} of {count}: {command}", { index: index + 1, count: steps.length, command: firstLine(step) });
        bringIntoView(step.button);
      },
      end: (text) => {
        bar.classList.remove("active");
        start.hidden = false;
        progress.hidden = stop.hidden = true;
        words.textContent = text;
        start.focus();
      },
    });
  });
}

interface Show {
  begin(): void;
  step(index: number, step: Step): void;
  end(text: string): void;
}

async function all(buttons: HTMLButtonElement[], runner: Runner, stop: AbortSignal, show: Show): Promise<void> {
  show.begin();
  const steps = buttons.map(stepOf);
  for (const [index, step] of steps.entries()) {
    show.step(index, step);
    const result = await runOne(step, steps[index + 1], runner, stop);
    const place = { index: index + 1, count: steps.length };
    if (stop.aborted) {
      runner.pane?.view?.interrupt();
      return show.end(t("Stopped at command {index} of {count}.", place));
    }
    if (result === "busy") return show.end(t("Stopped at command {index} of {count}: a program runs in its terminal.", place));
    if (result === "stopped") return show.end(t("Stopped at command {index} of {count}. The terminal says why.", place));
    if (result === "failed" && step.mustSucceed) return show.end(t("Stopped: command {index} of {count} failed.", place));
  }
  show.end(t("All {count} commands were run.", { count: steps.length }));
}

/** Goes on without the end of a command that the lesson itself leaves running: the next one interrupts it, or is for another terminal. */
async function runOne(step: Step, next: Step | undefined, runner: Runner, stop: AbortSignal): ReturnType<typeof runStep> {
  const result = runStep(step, runner, stop);
  if (!next || (!next.interrupt && next.terminal === step.terminal)) return result;
  const left = new Promise<"done">((resolve) => setTimeout(() => resolve("done"), LEFT_RUNNING_MS));
  return Promise.race([result, left]);
}

const firstLine = ({ text }: Step): string => text.split("\n", 1)[0] ?? "";

function bringIntoView(button: HTMLElement): void {
  button.closest(".command, .file-block")?.scrollIntoView({ block: "nearest" });
}
