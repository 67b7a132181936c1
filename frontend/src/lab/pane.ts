/** <lab-pane>: a lesson's machine, from "Start" to its end. The server's lab is the only truth; this shows it. */
import { ask } from "../dialog";
import type { TerminalView } from "../terminal/view";
import type { Refusal } from "../terminal/stream";
import { fetchLab, keepLab, type Lab, LabError, type Queue, startLab, stopLab } from "./api";
import { card, endCard, errorCard, queueCard, showPlace, stepList, type Way } from "./cards";
import { LabControl } from "./control";
import { NoticeBar } from "./notice";
import { Screens } from "./screens";
import { TimeBar } from "./time";

type State = "idle" | "queued" | "starting" | "running" | "ended" | "failed";

/** A start that is quicker than this shows nothing but the prompt. */
const SHOW_STEPS_AFTER_MS = 300;

export class LabPane extends HTMLElement {
  private lab: Lab | null = null;
  private control: LabControl | null = null;
  private screens!: Screens;
  private notice!: NoticeBar;
  private time!: TimeBar;
  private cover!: HTMLElement;
  private stepsTimer: ReturnType<typeof setTimeout> | undefined;
  private stopped: (() => void) | null = null;
  private waiting: { ready: (view: TerminalView | null) => void; number: number }[] = [];
  /** The chunk with xterm.js: asked for at once, so that it comes while the machine does. */
  private readonly code = import("../terminal/view");

  connectedCallback(): void {
    const part = <T extends HTMLElement = HTMLElement>(name: string): T => this.querySelector(`.${name}`) as T;
    this.cover = part("lab-cover");
    this.notice = new NoticeBar(part("lab-notice"));
    this.time = new TimeBar(part("lab-state"), part("lab-warning"), () => void this.keep());
    this.screens = new Screens(part("lab-tabs"), part("lab-screens"), {
      connected: () => this.removeAttribute("data-link"),
      lost: () => this.setAttribute("data-link", "lost"),
      exited: (status) => this.exited(status),
      refused: (refusal) => void this.refused(refusal),
      tell: (text, action) => this.notice.tell(text, action),
      pasting: (bytes, cancel) => this.notice.pasting(bytes, cancel),
      leave: () => document.dispatchEvent(new Event("leaveterminal")),
    });
    this.time.show(null);
    part("lab-stop").addEventListener("click", () => void this.stop());
    part("lab-restart").addEventListener("click", () => void this.askRestart());
    const full = part("lab-full");
    full.addEventListener("click", () => {
      const on = this.classList.toggle("full");
      full.setAttribute("aria-pressed", String(on));
      this.screens.current?.focus();
    });
    this.begin();
  }

  /** The terminal of that number in a running machine; starts the machine where there is none. Null where it cannot be had. */
  ready(number: number): Promise<TerminalView | null> {
    if (this.state === "running") {
      this.screens.show(number);
      const view = this.screens.view(number);
      if (view) return Promise.resolve(view);
    }
    return new Promise((ready) => {
      this.waiting.push({ ready, number });
      if (!["queued", "starting", "running"].includes(this.state)) void this.start();
    });
  }

  focusTerminal(): void {
    const view = this.screens.current;
    if (view) view.focus();
    else this.cover.querySelector<HTMLElement>("a, button")?.focus();
  }

  fit(): void {
    this.screens.current?.fit();
  }

  get view(): TerminalView | null {
    return this.screens.current;
  }

  private get state(): State {
    return (this.dataset.state ?? "idle") as State;
  }

  private set state(state: State) {
    this.dataset.state = state;
    for (const name of ["lab-stop", "lab-restart"]) {
      const button = this.querySelector<HTMLElement>(`.${name}`);
      if (button) button.hidden = state !== "running";
    }
  }

  private begin(): void {
    const lab = JSON.parse(document.getElementById("lab")?.textContent ?? "null") as Lab | null;
    if (!this.dataset.signedIn) {
      this.idle("A Linux machine of your own", "Sign in to get a machine for this lesson. It is yours alone and starts in a moment.", {
        label: "Sign in",
        go: this.dataset.login ?? "/",
      });
    } else if (lab) {
      this.watch(lab);
    } else if (this.dataset.autostart) {
      void this.start();
    } else {
      this.idle("This lesson has a machine", "A Linux machine of your own, with a root shell. Nothing you do in it can break anything outside.", {
        label: "Start the machine",
        go: () => void this.start(),
      });
    }
  }

  private idle(title: string, text: string, way: Way): void {
    this.state = "idle";
    this.show(card(title, text, way));
    this.release(null);
  }

  private async start(): Promise<void> {
    this.state = "starting";
    this.forget();
    this.show(null);
    this.time.show(null, "Starting");
    try {
      this.watch(await startLab(this.dataset.lesson ?? ""));
    } catch (error) {
      this.fail(error);
    }
  }

  private watch(lab: Lab): void {
    this.control?.close();
    if (lab.state === "stopped" || lab.state === "failed") return this.ended(lab);
    this.control = new LabControl(lab.id, {
      lab: (changed) => this.update(changed),
      refused: (error) => this.fail(error),
    });
    this.update(lab);
  }

  private update(lab: Lab): void {
    if (lab.state === "stopped" || lab.state === "failed") return this.ended(lab);
    this.lab = lab;
    this.time.show(lab);
    switch (lab.state) {
      case "queued":
        this.state = "queued";
        this.showQueue(lab.id, lab.queue ?? { position: 1, length: 1 });
        break;
      case "creating":
        this.state = "starting";
        if (this.cover.querySelector(".lab-queue")) this.show(null);
        this.showSteps(lab);
        break;
      case "running":
        void this.run(lab);
        break;
      case "stopping":
        this.state = "ended";
        this.forgetScreens();
        this.show(card("Stopping the machine", "This takes a moment.", null));
        break;
    }
  }

  private showQueue(id: string, queue: Queue): void {
    const shown = this.cover.querySelector(".lab-queue");
    if (shown) showPlace(shown, queue);
    else this.show(queueCard(queue, () => void this.stopNow(id)));
  }

  private showSteps(lab: Lab): void {
    const list = (): void => this.show(card("Starting your machine", "", null, [stepList(lab.steps)]));
    clearTimeout(this.stepsTimer);
    if (this.cover.querySelector(".steps")) list();
    else this.stepsTimer = setTimeout(list, SHOW_STEPS_AFTER_MS);
  }

  private async run(lab: Lab): Promise<void> {
    clearTimeout(this.stepsTimer);
    const before = this.state;
    const { TerminalView } = await this.code;
    if (this.lab?.id !== lab.id || this.lab.state !== "running") return;
    this.state = "running";
    this.show(null);
    this.screens.open(lab.terminals, TerminalView);
    if (before !== "running" && this.mayTakeFocus()) this.screens.current?.focus();
    this.notice.limits(lab.id, lab.notices);
    this.release((number) => this.screens.view(number));
  }

  /** The prompt takes the focus only from nobody: not from a person who reads with the keyboard, nor by opening a phone's keyboard. */
  private mayTakeFocus(): boolean {
    const free = document.activeElement === document.body || document.activeElement === null || this.contains(document.activeElement);
    return free && matchMedia("(pointer: fine)").matches && this.offsetParent !== null;
  }

  private ended(lab: Lab): void {
    this.lab = lab;
    this.time.show(lab);
    this.control?.close();
    this.control = null;
    this.forgetScreens();
    const failed = lab.state === "failed" || ["failed", "out-of-memory", "node-lost"].includes(lab.end?.reason ?? "");
    this.state = failed ? "failed" : "ended";
    const end = lab.end ?? { reason: "failed", title: "The machine has ended", text: "Start a new one to go on.", can_restart: true };
    this.show(endCard(end, () => void this.start()));
    this.stopped?.();
    this.release(null);
  }

  private fail(error: unknown): void {
    this.forget();
    this.state = "failed";
    this.time.show(null);
    this.show(errorCard(error, () => void this.start(), this.dataset.login ?? "/"));
    this.release(null);
  }

  private exited(status: number): void {
    const how = status < 0 ? `was ended by signal ${-status}` : `has exited (status ${status})`;
    this.notice.tell(`The shell ${how}.`, { label: "Restart the machine", act: () => void this.restart() });
  }

  private async refused(refusal: Refusal): Promise<void> {
    if (refusal === "signed-out") return this.fail(new LabError("signed-out", "You are signed out", "Sign in again. Your machine keeps running."));
    if (refusal === "not-yours") return this.fail(new LabError("not-found", "This machine is not yours", "It belongs to another person."));
    // The lab knows why its terminal is gone, and says it better.
    if (!this.lab) return;
    try {
      const lab = await fetchLab(this.lab.id);
      if (lab.state !== "running") this.update(lab);
      else this.notice.tell("This terminal is gone.", { label: "Restart the machine", act: () => void this.restart() });
    } catch (error) {
      this.fail(error);
    }
  }

  private async keep(): Promise<void> {
    if (!this.lab) return;
    try {
      this.update(await keepLab(this.lab.id));
      this.screens.current?.focus();
    } catch (error) {
      this.notice.tell(error instanceof LabError ? error.text : "The site did not answer. Try again.");
    }
  }

  private async stop(): Promise<void> {
    const sure = await ask({
      title: "Stop this machine?",
      body: ["Its files and everything that runs in it are deleted."],
      confirm: "Stop it",
      cancel: "Keep it",
      danger: true,
    });
    if (sure && this.lab) await this.stopNow(this.lab.id);
  }

  private async askRestart(): Promise<void> {
    const sure = await ask({
      title: "Start over with a fresh machine?",
      body: ["This machine's files are deleted. The new one is as it was when you began."],
      confirm: "Start over",
      cancel: "Keep this one",
      danger: true,
    });
    if (sure) await this.restart();
  }

  private async restart(): Promise<void> {
    if (!this.lab) return this.start();
    const gone = new Promise<void>((resolve) => (this.stopped = resolve));
    if (!(await this.stopNow(this.lab.id))) return;
    await gone;
    await this.start();
  }

  private async stopNow(id: string): Promise<boolean> {
    try {
      this.update(await stopLab(id));
      return true;
    } catch (error) {
      this.notice.tell(error instanceof LabError ? error.text : "The site did not answer. Try again.");
      return false;
    }
  }

  private show(content: HTMLElement | null): void {
    this.cover.replaceChildren(...(content ? [content] : []));
    this.cover.hidden = content === null;
  }

  private forgetScreens(): void {
    clearTimeout(this.stepsTimer);
    this.classList.remove("full");
    this.querySelector(".lab-full")?.setAttribute("aria-pressed", "false");
    this.removeAttribute("data-link");
    this.notice.hide();
    this.screens.clear();
  }

  private forget(): void {
    this.control?.close();
    this.control = null;
    this.lab = null;
    this.stopped = null;
    this.forgetScreens();
  }

  private release(find: ((number: number) => TerminalView | null) | null): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const { ready, number } of waiting) {
      if (find) this.screens.show(number);
      ready(find ? find(number) : null);
    }
  }
}

customElements.define("lab-pane", LabPane);

/** Empty on a page whose lesson has no machine. */
export const findPane = (): LabPane | null => document.querySelector<LabPane>("lab-pane");

