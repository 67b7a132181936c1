/** <lab-pane>: a lesson's machine, from "Start" to its end. The server's lab is the only truth; this shows it. */
import { ask } from "../dialog";
import { element } from "../element";
import type { TerminalView } from "../terminal/view";
import { type MenuItem, openMenuOf } from "../terminal/menu";
import type { Refusal } from "../terminal/stream";
import { barItems } from "./actions";
import {
  closeTerminal,
  extendLab,
  fetchLab,
  keepLab,
  type Lab,
  LabError,
  openTerminal,
  type Queue,
  reasonOf,
  renameTerminal,
  restartTerminal,
  resumeLab,
  saveLab,
  startLab,
  stopLab,
  transcriptUrl,
} from "./api";
import { card, endCard, errorCard, queueCard, showPlace, stepList, type Way } from "./cards";
import { LabControl } from "./control";
import { NoticeBar } from "./notice";
import { Ports } from "./ports";
import { askName, choiceCard, keptCard, savedHere } from "./saving";
import { Screens } from "./screens";
import { edit } from "./tabs";
import { TimeBar } from "./time";
import { t } from "../i18n";

type State = "idle" | "queued" | "starting" | "running" | "ended" | "failed";

/** A start that is quicker than this shows nothing but the prompt. */
const SHOW_STEPS_AFTER_MS = 300;
/** As many as the server opens (engine.terminals.MOST). */
const MOST_TERMINALS = 8;

export class LabPane extends HTMLElement {
  private lab: Lab | null = null;
  private control: LabControl | null = null;
  private screens!: Screens;
  private notice!: NoticeBar;
  private ports!: Ports;
  private time!: TimeBar;
  private cover!: HTMLElement;
  private stepsTimer: ReturnType<typeof setTimeout> | undefined;
  private waiting: { ready: (view: TerminalView | null) => void; number: number }[] = [];
  /** The terminal that was opened by hand and takes the focus when it is there. */
  private wanted = 0;
  private readonly opening = new Set<number>();
  /** The chunk with xterm.js: asked for at once, so that it comes while the machine does. */
  private readonly code = import("../terminal/view");

  connectedCallback(): void {
    const part = <T extends HTMLElement = HTMLElement>(name: string): T => this.querySelector(`.${name}`) as T;
    this.cover = part("lab-cover");
    this.notice = new NoticeBar(part("lab-notice"));
    this.time = new TimeBar(part("lab-state"), part("lab-warning"), () => void this.keep(), () => void this.extend());
    this.screens = new Screens(part("lab-tabs"), part("lab-screens"), {
      connected: () => this.removeAttribute("data-link"),
      lost: () => this.setAttribute("data-link", "lost"),
      exited: (number, status) => this.exited(number, status),
      refused: (refusal) => void this.refused(refusal),
      tell: (text, action) => this.notice.tell(text, action),
      pasting: (bytes, cancel) => this.notice.pasting(bytes, cancel),
      leave: () => document.dispatchEvent(new Event("leaveterminal")),
      restart: (number) => void this.restartShell(number),
      rename: (number, title) => void this.change((lab) => renameTerminal(lab.id, number, title)),
      close: (number) => void this.closeTerminal(number),
      more: (number) => this.barItems(number),
    });
    this.ports = new Ports(part("lab-ports"), this.screens, {
      tell: (text) => this.notice.tell(text),
      announce: (text) => (part("lab-announcer").textContent = text),
    });
    this.time.show(null);
    part("lab-save").addEventListener("click", () => void this.save());
    part("lab-stop").addEventListener("click", () => void this.stop());
    part("lab-restart").addEventListener("click", () => void this.askRestart());
    part("lab-new").addEventListener("click", () => void this.openTerminal());
    const menu = part("lab-menu");
    menu.addEventListener("click", () => openMenuOf(menu, this.screens.current?.menu() ?? []));
    part("lab-state").addEventListener("click", (event) => {
      const button = (event.target as Element).closest("button");
      if (button) openMenuOf(button, [{ label: t("Add an hour"), act: () => void this.extend() }]);
    });
    const full = part("lab-full");
    full.addEventListener("click", () => {
      const on = this.classList.toggle("full");
      full.setAttribute("aria-pressed", String(on));
      this.screens.current?.focus();
    });
    this.begin();
  }

  /** The terminal of that number; opens it, and starts the machine, where there is none. Null where it cannot be had. */
  ready(number: number): Promise<TerminalView | null> {
    const view = this.state === "running" ? this.screens.view(number) : null;
    if (view) {
      this.screens.show(number);
      return Promise.resolve(view);
    }
    return new Promise((ready) => {
      this.waiting.push({ ready, number });
      if (this.state === "running") void this.openTerminal(number);
      else if (!["queued", "starting"].includes(this.state)) void this.start();
    });
  }

  /** A port of the machine beside the lesson, once it runs. False where it cannot be shown. */
  async openPort(port: number): Promise<boolean> {
    const view = await this.ready(1);
    if (!view || !this.ports.available) return false;
    this.ports.show(port);
    return true;
  }

  focusTerminal(): void {
    const view = this.screens.raise();
    if (view) view.focus();
    else this.cover.querySelector<HTMLElement>("a, button")?.focus();
  }

  fit(): void {
    this.screens.fit();
  }

  /** A sentence at the foot of the terminal, with one thing to do about it. */
  tell(text: string, action?: { label: string; act: () => void }): void {
    this.notice.tell(text, action);
  }

  get view(): TerminalView | null {
    return this.screens.current;
  }

  /** The id of the lab whose machine runs, or null. */
  get running(): string | null {
    return this.state === "running" ? (this.lab?.id ?? null) : null;
  }

  private get state(): State {
    return (this.dataset.state ?? "idle") as State;
  }

  private set state(state: State) {
    this.dataset.state = state;
    for (const name of ["lab-save", "lab-stop", "lab-restart", "lab-new", "lab-menu", "lab-files"]) {
      const button = this.querySelector<HTMLElement>(`.${name}`);
      if (button) button.hidden = state !== "running";
    }
  }

  private begin(): void {
    const lab = JSON.parse(document.getElementById("lab")?.textContent ?? "null") as Lab | null;
    if (!this.dataset.signedIn) {
      this.idle(t("A Linux machine of your own"), t("Sign in to get a machine for this lesson. It is yours alone and starts in a moment."), {
        label: t("Sign in"),
        go: this.dataset.login ?? "/",
      });
    } else if (lab) {
      this.watch(lab);
    } else if (savedHere().length > 0) {
      this.state = "idle";
      const fresh = (): void => void this.start();
      this.show(choiceCard(t("You saved a machine in this lesson"), t("Go on where you were, or start anew."), savedHere(), (id) => void this.resume(id), fresh));
      this.release(false);
    } else {
      this.idle(t("This lesson has a machine"), t("A Linux machine of your own, with a root shell. Nothing you do in it can break anything outside."), {
        label: t("Start the machine"),
        go: () => void this.start(),
      });
    }
  }

  private idle(title: string, text: string, way: Way): void {
    this.state = "idle";
    this.show(card(title, text, way));
    this.release(false);
  }

  private start(): Promise<void> {
    return this.begun(() => startLab(this.dataset.lesson ?? ""));
  }

  private resume(savedId: string): Promise<void> {
    return this.begun(() => resumeLab(savedId));
  }

  private async begun(make: () => Promise<Lab>): Promise<void> {
    this.state = "starting";
    this.forget();
    this.show(null);
    this.time.show(null, t("Starting"));
    try {
      this.watch(await make());
    } catch (error) {
      this.fail(error, () => void this.begun(make));
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
    this.dispatchEvent(new CustomEvent<Lab>("lab", { detail: lab }));
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
        this.show(
          lab.saved
            ? card(t("Saving the machine"), t("Its programs are asked to end first. You may leave this page: it is saved all the same."), null)
            : card(t("Stopping the machine"), t("This takes a moment."), null),
        );
        break;
    }
  }

  private showQueue(id: string, queue: Queue): void {
    const shown = this.cover.querySelector(".lab-queue");
    if (shown) showPlace(shown, queue);
    else this.show(queueCard(queue, () => void this.stopNow(id)));
  }

  private showSteps(lab: Lab): void {
    const list = (): void => this.show(card(t("Starting your machine"), "", null, [stepList(lab.steps)]));
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
    this.ports.update(lab);
    if (this.screens.view(this.wanted)) {
      this.screens.focus(this.wanted);
      this.wanted = 0;
    } else if (before !== "running" && this.mayTakeFocus()) this.screens.current?.focus();
    this.notice.limits(lab.id, lab.notices);
    this.release(true);
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
    const end = lab.end ?? { reason: "failed", title: t("The machine has ended"), text: t("Start a new one to go on."), can_restart: true };
    const fresh = (): void => void this.start();
    const resume = (id: string): void => void this.resume(id);
    if (lab.saved) this.show(keptCard(end, lab.saved, resume, fresh));
    else if (savedHere().length > 0 && end.can_restart) this.show(choiceCard(end.title, end.text, savedHere(), resume, fresh));
    else this.show(endCard(end, fresh));
    this.release(false);
  }

  private fail(error: unknown, again: () => void = () => void this.start()): void {
    this.forget();
    this.state = "failed";
    this.time.show(null);
    this.show(errorCard(error, again, this.dataset.login ?? "/"));
    this.release(false);
  }

  private exited(number: number, status: number): void {
    const signal = status - 128;
    const alone = this.screens.count < 2;
    const terminal = this.screens.title(number);
    let words: string;
    if (signal > 0 && alone) words = t("The shell was ended by signal {signal}. Press Enter in it for a fresh one.", { signal });
    else if (signal > 0) words = t("The shell of {terminal} was ended by signal {signal}. Press Enter in it for a fresh one.", { terminal, signal });
    else if (alone) words = t("The shell has exited (status {status}). Press Enter in it for a fresh one.", { status });
    else words = t("The shell of {terminal} has exited (status {status}). Press Enter in it for a fresh one.", { terminal, status });
    this.notice.tell(words, {
      label: t("Restart the shell"),
      act: () => void this.restartShell(number),
    });
  }

  /** Opens a terminal: that number, or a new one, which then takes the focus. */
  private async openTerminal(number?: number): Promise<void> {
    if (!this.lab || (number !== undefined && this.opening.has(number))) return;
    if (number !== undefined) this.opening.add(number);
    try {
      const lab = await openTerminal(this.lab.id, number);
      if (number === undefined) this.wanted = lab.opening;
      this.update(lab);
    } catch (error) {
      this.notice.tell(reasonOf(error));
      this.giveUp(number);
    } finally {
      if (number !== undefined) this.opening.delete(number);
    }
  }

  private async restartShell(number: number): Promise<void> {
    this.notice.hide();
    this.screens.focus(number);
    await this.change((lab) => restartTerminal(lab.id, number));
  }

  private async closeTerminal(number: number): Promise<void> {
    if (this.screens.count < 2) {
      this.notice.tell(t("A machine keeps one terminal. Open another one first, or stop the machine."));
      return;
    }
    const title = this.screens.title(number);
    const body = [t("A program runs in it, and is ended with it.")];
    const busy = this.screens.view(number)?.busy ?? false;
    if (busy && !(await ask({ title: t("Close {name}?", { name: title }), body, confirm: t("Close it"), cancel: t("Keep it"), danger: true }))) return;
    await this.change((lab) => closeTerminal(lab.id, number));
  }

  private barItems(number: number): (MenuItem | null)[] {
    const { screens } = this;
    return barItems({
      split: screens.split,
      full: screens.count < MOST_TERMINALS ? "" : t("A machine has {count} terminals at most.", { count: MOST_TERMINALS }),
      last: screens.count > 1 ? "" : t("A machine keeps one terminal."),
      exited: screens.view(number)?.exited ?? false,
      timeLeft: this.time.left,
      extend: () => void this.extend(),
      open: () => void this.openTerminal(),
      rename: () => {
        const tab = this.querySelector<HTMLElement>(`#tab-${number}`);
        // Once the menu has given its focus back.
        if (tab) setTimeout(() => edit(tab, (title) => void this.change((lab) => renameTerminal(lab.id, number, title))));
      },
      restart: () => void this.restartShell(number),
      close: () => void this.closeTerminal(number),
      setSplit: (split) => {
        screens.setSplit(split);
        if (split !== "none" && screens.count < 2) void this.openTerminal();
      },
      transcript: () => {
        // As a download it never takes the page's place, whatever the answer is.
        if (this.lab) element("a", { href: transcriptUrl(this.lab.id, number), download: "" }).click();
      },
    });
  }

  /** Asks the server for a change of the running lab, and shows what it answers. */
  private async change(act: (lab: Lab) => Promise<Lab>): Promise<void> {
    if (!this.lab) return;
    try {
      this.update(await act(this.lab));
    } catch (error) {
      this.notice.tell(reasonOf(error));
    }
  }

  private async extend(): Promise<void> {
    await this.change((lab) => extendLab(lab.id));
    this.screens.current?.focus();
  }

  private async refused(refusal: Refusal): Promise<void> {
    if (refusal === "signed-out") return this.fail(new LabError("signed-out", t("You are signed out"), t("Sign in again. Your machine keeps running.")));
    if (refusal === "not-yours") return this.fail(new LabError("not-found", t("This machine is not yours"), t("It belongs to another person.")));
    // The lab knows why its terminal is gone, and says it better.
    if (!this.lab) return;
    try {
      const lab = await fetchLab(this.lab.id);
      if (lab.state !== "running") this.update(lab);
      else this.notice.tell(t("This terminal is gone."), { label: t("Restart the machine"), act: () => void this.restart() });
    } catch (error) {
      this.fail(error);
    }
  }

  private async keep(): Promise<void> {
    await this.change((lab) => keepLab(lab.id));
    this.screens.current?.focus();
  }

  private async save(): Promise<void> {
    if (!this.lab) return;
    const name = await askName(this.lab.saved?.name ?? this.dataset.title ?? "");
    if (name === null) return this.screens.current?.focus();
    await this.change((lab) => saveLab(lab.id, name));
  }

  private async stop(): Promise<void> {
    const saved = this.lab?.saved;
    const sure = await ask({
      title: t("Stop this machine?"),
      body: [
        saved
          ? t("What runs in it ends. Its files stay saved as “{name}”.", { name: saved.name })
          : t("Its files and everything that runs in it are deleted."),
      ],
      confirm: t("Stop it"),
      cancel: t("Keep it"),
      danger: true,
    });
    if (sure && this.lab) await this.stopNow(this.lab.id);
  }

  private async askRestart(): Promise<void> {
    const saved = this.lab?.saved;
    const sure = await ask({
      title: t("Start over with a fresh machine?"),
      body: [
        saved
          ? t("This machine's files stay saved as “{name}”. The new one is as it was when you began.", { name: saved.name })
          : t("This machine's files are deleted. The new one is as it was when you began."),
      ],
      confirm: t("Start over"),
      cancel: t("Keep this one"),
      danger: true,
    });
    if (sure) await this.restart();
  }

  private async restart(): Promise<void> {
    // The old one is taken away while the fresh one is there already.
    if (!this.lab || (await this.stopNow(this.lab.id))) await this.start();
  }

  private async stopNow(id: string): Promise<boolean> {
    try {
      this.update(await stopLab(id));
      return true;
    } catch (error) {
      this.notice.tell(reasonOf(error));
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
    this.ports.clear();
    this.screens.clear();
  }

  private forget(): void {
    this.control?.close();
    this.control = null;
    this.lab = null;
    this.forgetScreens();
  }

  /** Hands out the terminals that were waited for; those a running machine does not have are opened. */
  private release(running: boolean): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const one of waiting) {
      const view = running ? this.screens.view(one.number) : null;
      if (view) this.screens.show(one.number);
      if (view || !running) one.ready(view);
      else {
        this.waiting.push(one);
        void this.openTerminal(one.number);
      }
    }
  }

  /** That terminal cannot be had. */
  private giveUp(number: number | undefined): void {
    for (const one of this.waiting.filter((waiting) => waiting.number === number)) one.ready(null);
    this.waiting = this.waiting.filter((waiting) => waiting.number !== number);
  }
}

customElements.define("lab-pane", LabPane);

/** Empty on a page whose lesson has no machine. */
export const findPane = (): LabPane | null => document.querySelector<LabPane>("lab-pane");

