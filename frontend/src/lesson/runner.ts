/** The lesson's commands on their way into a terminal, and what the page says of how they ended. */
import { t } from "../i18n";
import type { LabPane } from "../lab/pane";
import type { TerminalView } from "../terminal/view";
import { heredoc } from "./heredoc";

export interface Runner {
  pane: LabPane | null;
  /** Brings the terminal into view where only one of the two is shown. */
  showTerminal(): void;
  announce(text: string): void;
  /** A command has been typed: its button's place among all of them. */
  ran(place: number): void;
}

/** What a run button stands for. */
export interface Step {
  button: HTMLButtonElement;
  text: string;
  terminal: number;
  interrupt: boolean;
  /** `Run` or `Write file`, and what the button says afterwards. */
  again: string;
  /** Its lesson promises that it ends with status 0. */
  mustSucceed: boolean;
}

const INTERRUPTED = 130;
/** How often each button was pressed to run. */
const latest = new WeakMap<HTMLButtonElement, number>();

export type Result = "done" | "failed" | "busy" | "stopped";

export const runButtons = (prose: HTMLElement): HTMLButtonElement[] => [...prose.querySelectorAll<HTMLButtonElement>(".run, .write-file")];

export function stepOf(button: HTMLButtonElement): Step {
  if (button.matches(".write-file")) {
    const block = button.closest<HTMLElement>(".file-block");
    const text = heredoc(block?.dataset.path ?? "", block?.querySelector("pre")?.textContent ?? "");
    return { button, text, terminal: Number(block?.dataset.terminal ?? 1), interrupt: false, again: t("Write again"), mustSucceed: true };
  }
  const command = button.closest<HTMLElement>("[data-command]");
  const block = button.closest<HTMLElement>(".console");
  return {
    button,
    text: command?.dataset.command ?? "",
    terminal: Number(block?.dataset.terminal ?? 1),
    interrupt: command?.dataset.interrupt !== undefined,
    again: t("Run again"),
    mustSucceed: block?.dataset.kind === "sh",
  };
}

/** Types the step into its terminal and waits for its end. `force`: what runs there is interrupted first. */
export async function runStep(step: Step, runner: Runner, stop?: AbortSignal, force = false): Promise<Result> {
  const { button, terminal } = step;
  runner.showTerminal();
  const view = await runner.pane?.ready(terminal);
  // The pane says why it cannot.
  if (!view || stop?.aborted) return "stopped";
  const before = latest.get(button) ?? 0;
  if (button.ariaBusy === "true" && !force) {
    refuse(step, view, runner);
    return "busy";
  }
  latest.set(button, before + 1);
  mark(step, "running");
  view.focus();
  const ended = await view.run(step.text, step.interrupt || force, stop);
  // Pressed again meanwhile: what the button shows is the later one's.
  if (latest.get(button) !== before + 1) return "stopped";
  if (ended === "busy") {
    mark(step, "idle");
    refuse(step, view, runner);
    return "busy";
  }
  runner.ran(runButtons(button.closest<HTMLElement>(".prose") ?? document.body).indexOf(button));
  if (ended === null) {
    mark(step, "ran");
    return "stopped";
  }
  // Ended by Ctrl-C: by the person, or by a lesson's next command. Nothing failed.
  if (ended.status === INTERRUPTED) ended.status = null;
  mark(step, "ran", ended.status);
  runner.announce(ended.status ? t("The command ended with status {status}", { status: ended.status }) : t("The command ended"));
  return ended.status ? "failed" : "done";
}

function refuse(step: Step, view: TerminalView, runner: Runner): void {
  runner.pane?.tell(t("A program runs in terminal {number}, so the command was not typed.", { number: step.terminal }), {
    label: t("Interrupt and run"),
    act: () => void runStep(step, runner, undefined, true),
  });
  view.focus();
}

/** What the button says and shows: nothing yet, a command under way, or one that has ended (status 0 or unknown: a tick). */
export function mark(step: Pick<Step, "button" | "again">, state: "idle" | "running" | "ran", status: number | null = null): void {
  const { button, again } = step;
  button.dataset.first ??= button.textContent ?? "";
  const before = button.classList.contains("ran");
  button.classList.toggle("running", state === "running");
  if (state === "running") button.setAttribute("aria-busy", "true");
  else button.removeAttribute("aria-busy");
  if (state === "ran") {
    button.classList.add("ran");
    button.classList.toggle("failed", Boolean(status));
  }
  const words = state === "running" ? t("Running") : state === "ran" || before ? again : button.dataset.first;
  button.textContent = status ? t("Status {status} · again", { status }) : words;
  button.title = status ? t("It ended with status {status}", { status }) : status === 0 ? t("It ended with status 0") : "";
  const label = button.getAttribute("aria-label");
  if (label) button.setAttribute("aria-label", label.replace(/^[^:]*/, status ? t("{words} (ended with status {status})", { words: words ?? "", status }) : words));
}
