/** What listens in the machine: a menu in the bar, and each port beside the lesson or in a tab of its own. */
import { language, t } from "../i18n";
import { ask } from "../dialog";
import { element, words } from "../element";
import { copyText } from "../terminal/clipboard";
import { type Lab, type Port, reasonOf, sharePort, unsharePorts } from "./api";
import { button } from "./cards";
import type { Screens } from "./screens";

/** A framed page may do what a page does, but not lead the lesson elsewhere. */
const SANDBOX = "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-downloads allow-modals";

export interface PortEvents {
  tell(text: string): void;
  announce(text: string): void;
}

export class Ports {
  private lab: Lab | null = null;
  private readonly frames = new Map<number, HTMLIFrameElement>();
  private readonly titles: Map<number, string>;
  private readonly button: HTMLButtonElement;
  private readonly menu: HTMLElement;
  private readonly outside = (event: Event): void => {
    if (!this.box.contains(event.target as Node)) this.close();
  };

  constructor(
    private readonly box: HTMLElement,
    private readonly screens: Screens,
    private readonly events: PortEvents,
  ) {
    this.button = box.querySelector("button") as HTMLButtonElement;
    this.menu = box.querySelector(".ports-menu") as HTMLElement;
    const named = JSON.parse(document.getElementById("lab-ports")?.textContent ?? "[]") as { port: number; title: string }[];
    this.titles = new Map(named.map(({ port, title }) => [port, title]));
    this.button.addEventListener("click", () => (this.menu.hidden ? this.open() : this.close()));
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.menu.hidden) return;
      this.close();
      this.button.focus();
    });
  }

  /** The site shows ports, and the machine runs. */
  get available(): boolean {
    return Boolean(this.lab?.ports_path);
  }

  update(lab: Lab): void {
    const before = new Set((this.lab?.id === lab.id ? this.lab.ports : []).map(({ port }) => port));
    const first = this.lab === null;
    const same = JSON.stringify(this.lab?.ports) === JSON.stringify(lab.ports);
    this.lab = lab;
    this.box.hidden = false;
    this.linkLesson();
    if (same) return;
    const count = this.button.querySelector(".count");
    if (count) count.textContent = lab.ports.length ? String(lab.ports.length) : "";
    if (!this.menu.hidden) this.fill();
    for (const { port, reachable } of lab.ports.filter(({ port }) => !before.has(port))) {
      if (!first) this.events.announce(t("Port {port} listens", { port }));
      const frame = this.frames.get(port);
      // It was opened before its server was there, or while that was started anew.
      if (frame && reachable) this.reload(frame, port);
    }
  }

  /** Beside the lesson, in the terminal's pane. */
  show(port: number): void {
    this.close();
    if (!this.frames.has(port)) this.add(port);
    this.screens.select(panelOf(port));
    this.frames.get(port)?.focus();
  }

  clear(): void {
    this.lab = null;
    this.frames.clear();
    this.close();
    this.box.hidden = true;
    this.linkLesson();
  }

  private url(port: number): string {
    return `${this.lab?.ports_path ?? "#"}${port}/`;
  }

  private open(): void {
    this.menu.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.fill();
    document.addEventListener("pointerdown", this.outside, true);
    this.menu.querySelector<HTMLElement>("button, a")?.focus();
  }

  private close(): void {
    this.menu.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.outside, true);
  }

  private fill(): void {
    const focused = this.menu.contains(document.activeElement);
    const ports = this.lab?.ports ?? [];
    const list = element("ul", {}, ...ports.map((port) => this.row(port)));
    const hint = t("Nothing listens in this machine yet. Start a server, for example `python3 -m http.server 8080`.");
    this.menu.replaceChildren(ports.length ? list : element("p", {}, ...words(hint)));
    if (!this.available) {
      this.menu.append(element("p", {}, t("This site does not show ports in the browser: its operator has set no host name for them.")));
    }
    if (focused) this.menu.querySelector<HTMLElement>("button, a")?.focus();
  }

  private row({ port, reachable }: Port): HTMLElement {
    const title = this.titles.get(port);
    const name = element("span", { class: "port-name" }, element("strong", {}, String(port)), title ? ` ${title}` : "");
    const row = element("li", {}, name);
    if (!reachable) {
      row.append(element("p", {}, ...words(t("Listens on 127.0.0.1 only. Start it on `0.0.0.0` to open it here."))));
    } else if (this.available) {
      const beside = element("button", { type: "button", class: "button compact primary", "aria-label": t("Open port {port} beside the lesson", { port }) }, t("Open"));
      beside.addEventListener("click", () => this.show(port));
      const tab = this.tabLink(port);
      tab.addEventListener("click", () => this.close());
      row.append(beside, tab);
    }
    return row;
  }

  private tabLink(port: number): HTMLAnchorElement {
    const goes = { href: this.url(port), target: "_blank", rel: "noopener" };
    return element("a", { class: "button compact", "aria-label": t("Open port {port} in a tab", { port }), ...goes }, t("In a tab"));
  }

  private add(port: number): void {
    const title = this.titles.get(port) || t("Port {port}", { port });
    const frame = element("iframe", { src: this.url(port), title, sandbox: SANDBOX, allow: "clipboard-write; fullscreen" });
    const close = (): void => {
      this.frames.delete(port);
      this.screens.removePanel(panelOf(port));
    };
    const bar = element(
      "div",
      { class: "port-bar" },
      element("span", { class: "port-name" }, title),
      button({ label: t("Reload"), go: () => this.reload(frame, port) }, "compact"),
      this.tabLink(port),
      button({ label: t("Share"), go: () => void this.share(port) }, "compact"),
      button({ label: t("Close"), go: close }, "compact"),
    );
    this.frames.set(port, frame);
    this.screens.addPanel(panelOf(port), `:${port}`, element("div", { class: "port-view" }, bar, frame), close);
  }

  private reload(frame: HTMLIFrameElement, port: number): void {
    frame.src = this.url(port);
  }

  private async share(port: number): Promise<void> {
    if (!this.lab) return;
    const { id } = this.lab;
    try {
      const { url, expires_at } = await sharePort(id, port);
      const until = new Date(expires_at).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
      const field = element("input", { type: "text", readonly: "", value: url, "aria-label": t("Link") });
      field.addEventListener("focus", () => field.select());
      const back = element("button", { type: "button", class: "button compact" }, t("Take back all links"));
      back.addEventListener("click", () => void this.takeBack(id, back));
      const copy = await ask({
        title: t("Share port {port}", { port }),
        body: [t("Who has this link sees the port until {time}, without an account, and no longer than this machine runs.", { time: until }), element("div", { class: "share" }, field, back)],
        confirm: t("Copy the link"),
        cancel: t("Close"),
      });
      if (!copy) return;
      await copyText(url).then(
        () => this.events.announce(t("Copied")),
        () => this.events.tell(t("Your browser did not let the page copy. Select the link and copy it.")),
      );
    } catch (error) {
      this.events.tell(reasonOf(error));
    }
  }

  private async takeBack(lab: string, button: HTMLButtonElement): Promise<void> {
    try {
      await unsharePorts(lab);
      button.textContent = t("All links are taken back");
      button.disabled = true;
    } catch (error) {
      button.textContent = reasonOf(error);
    }
  }

  /** The lesson's own links to ports lead there while the machine runs, so that a middle click works too. */
  private linkLesson(): void {
    for (const link of document.querySelectorAll<HTMLAnchorElement>("a.port")) {
      if (this.available) {
        link.href = this.url(Number(link.dataset.port));
        link.target = "_blank";
      } else {
        link.href = `#port-${link.dataset.port}`;
        link.removeAttribute("target");
      }
    }
  }
}

const panelOf = (port: number): string => `port-${port}`;
