/** The recording on the home page: a real session, drawn by the lesson page's xterm.js, which is fetched when the page has been painted. */
import { element } from "./element";
import { palettes } from "./terminal/palette";
import recording from "./recordings/container.cast?url";
import { watchTheme } from "./theme";
import { t } from "./i18n";
import "./styles/player.css";

export type Event = [seconds: number, kind: "o", text: string];
export interface Recording {
  width: number;
  height: number;
  events: Event[];
}

/** An asciicast: a header line, then an event on each line. */
export function parse(cast: string): Recording {
  const [header = "{}", ...lines] = cast.trim().split("\n");
  const { width, height } = JSON.parse(header) as { width: number; height: number };
  return { width, height, events: lines.map((line) => JSON.parse(line) as Event) };
}

/** Plays the events against the clock; a pause keeps the place. */
export class Player {
  private next = 0;
  private played = 0; // s
  private timer: number | undefined;

  constructor(
    private readonly events: Event[],
    private readonly write: (text: string) => void,
    private readonly changed: () => void,
  ) {}

  get playing(): boolean {
    return this.timer !== undefined;
  }

  get over(): boolean {
    return this.next >= this.events.length;
  }

  play(): void {
    if (this.over) {
      this.next = this.played = 0;
      this.write("\x1bc"); // a fresh screen
    }
    if (!this.playing) this.step(performance.now());
    this.changed();
  }

  pause(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.changed();
  }

  /** Everything at once. */
  finish(): void {
    for (const event of this.events.slice(this.next)) this.write(event[2]);
    this.next = this.events.length;
    this.changed();
  }

  private step(last: number): void {
    const now = performance.now();
    this.played += (now - last) / 1000;
    for (let event = this.events[this.next]; event && event[0] <= this.played; event = this.events[++this.next]) this.write(event[2]);
    const event = this.events[this.next];
    if (!event) return this.pause();
    this.timer = window.setTimeout(() => this.step(now), Math.max(10, (event[0] - this.played) * 1000));
  }
}

const showcase = document.querySelector<HTMLElement>(".showcase-terminal");
if (showcase) window.addEventListener("load", () => void start(showcase), { once: true });

/** Font size (px) in which so many columns fill the place; JetBrains Mono is 0.6 of it wide. */
function fitting(place: HTMLElement, columns: number): number {
  const room = place.clientWidth - 32;
  return Math.max(8, Math.min(16, Math.floor((room / columns / 0.6) * 2) / 2));
}

async function start(place: HTMLElement): Promise<void> {
  const [{ Terminal }, answer] = await Promise.all([import("./terminal/plain"), fetch(recording), document.fonts.ready]);
  if (!answer.ok) return; // the transcript that stands there says the same
  const { width, height, events } = parse(await answer.text());
  const screen = element("div", { class: "showcase-screen", "aria-hidden": "true", inert: "" });
  const terminal = new Terminal({
    cols: width,
    rows: height,
    disableStdin: true,
    fontFamily: '"JetBrains Mono Variable", ui-monospace, Menlo, monospace',
    fontSize: fitting(place, width),
    lineHeight: 1.25,
    cursorInactiveStyle: "block",
    minimumContrastRatio: 4.5,
    scrollback: 0,
  });
  place.querySelector("pre")?.classList.add("visually-hidden");
  place.append(screen);
  terminal.open(screen);
  new ResizeObserver(() => (terminal.options.fontSize = fitting(place, width))).observe(place);
  watchTheme((theme) => (terminal.options.theme = palettes[theme]));

  const button = element("button", { type: "button", class: "button compact" });
  const player = new Player(
    events,
    (text) => terminal.write(text),
    () => {
      button.textContent = player.playing ? t("Pause") : player.over ? t("Play again") : t("Play");
    },
  );
  button.addEventListener("click", () => (player.playing ? player.pause() : player.play()));
  place.querySelector(".showcase-bar")?.append(button);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    // What it comes to, at once; it moves only when asked to.
    player.finish();
  } else player.play();
}
