/** The history of the site drawn by uPlot: one picture per question an operator has. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { element } from "./element";
import { watchTheme } from "./theme";
import { language, t } from "./i18n";

type Column = (number | null)[];
type Samples = { step: number; at: number[] } & Record<string, Column>;

interface Line {
  column: string;
  title: string;
  colour: string;
  dash?: number[];
  fill?: boolean;
}

interface Picture {
  title: string;
  unit: (value: number) => string;
  lines: Line[];
}

const GIB = 1024 ** 3;
const count = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(1));
const gib = (value: number): string => `${(value / GIB).toFixed(1)} GiB`;
const time = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

const moment = (at: number, increment: number): string =>
  increment >= 86400
    ? new Date(at * 1000).toLocaleDateString(language, { day: "numeric", month: "short" })
    : new Date(at * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });

const PICTURES: Picture[] = [
  {
    title: t("Machines"),
    unit: count,
    lines: [
      { column: "running", title: t("Running"), colour: "--accent", fill: true },
      { column: "warm", title: t("Warm"), colour: "--good", dash: [6, 4] },
      { column: "queued", title: t("In line"), colour: "--bad", dash: [2, 3] },
    ],
  },
  {
    title: t("Time to start"),
    unit: time,
    lines: [
      { column: "start_p50_ms", title: t("Half start within"), colour: "--accent" },
      { column: "start_p95_ms", title: t("95 in 100 start within"), colour: "--warn", dash: [6, 4] },
    ],
  },
  {
    title: t("Starts and refusals"),
    unit: count,
    lines: [
      { column: "started", title: t("Started"), colour: "--accent", fill: true },
      { column: "failed", title: t("Failed"), colour: "--bad", dash: [6, 4] },
      { column: "refused", title: t("Refused"), colour: "--warn", dash: [2, 3] },
    ],
  },
  {
    title: t("Memory of the nodes"),
    unit: gib,
    lines: [
      { column: "memory_used", title: t("Used"), colour: "--accent", fill: true },
      { column: "memory_total", title: t("There is"), colour: "--ink-soft", dash: [2, 3] },
    ],
  },
  {
    title: t("Load of the nodes"),
    unit: count,
    lines: [
      { column: "load", title: t("Load"), colour: "--accent", fill: true },
      { column: "cores", title: t("Cores"), colour: "--ink-soft", dash: [2, 3] },
    ],
  },
];

const HEIGHT = 180;

/** A colour of the design as the canvas understands it: the token is a pair, light and dark. */
function resolved(token: string, from: HTMLElement): string {
  const probe = element("span", { style: `color: var(${token})`, hidden: "" });
  from.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

class Drawn {
  private plot: uPlot | null = null;
  private readonly values = new Map<string, HTMLElement>();
  private readonly canvas = element("div", { role: "img", "aria-label": t("Not loaded yet") });
  readonly figure: HTMLElement;

  constructor(private readonly picture: Picture) {
    const keys = picture.lines.map((line) => {
      const value = element("span", { class: "value" });
      this.values.set(line.column, value);
      const swatch = element("span", { class: "swatch", style: `border-color: var(${line.colour})`, "data-dash": line.dash ? "yes" : "no" });
      return element("li", {}, swatch, `${line.title} `, value);
    });
    const head = element("figcaption", {}, element("h2", {}, picture.title), element("ul", { class: "keys-of-lines" }, ...keys));
    this.figure = element("figure", { class: "picture" }, head, this.canvas);
  }

  draw(samples: Samples): void {
    this.plot?.destroy();
    const columns = this.picture.lines.map((line) => samples[line.column] ?? []);
    const nothing = columns.every((column) => column.every((value) => value === null));
    this.figure.classList.toggle("nothing", nothing);
    if (nothing) {
      this.plot = null;
      this.canvas.replaceChildren(element("p", { class: "muted small" }, t("Nothing to draw yet.")));
    } else {
      this.canvas.replaceChildren();
      this.plot = new uPlot(this.options(samples.step), [samples.at, ...columns], this.canvas);
    }
    this.tell(samples, null);
    this.canvas.setAttribute("aria-label", this.inWords(samples));
  }

  resize(): void {
    this.plot?.setSize({ width: this.width(), height: HEIGHT });
  }

  private width(): number {
    return Math.max(200, Math.floor(this.canvas.clientWidth));
  }

  private options(step: number): uPlot.Options {
    const { lines, unit } = this.picture;
    const soft = resolved("--ink-soft", this.figure);
    const grid = { stroke: resolved("--line", this.figure), width: 1 };
    const font = `12px ${getComputedStyle(this.figure).fontFamily}`;
    return {
      width: this.width(),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [
        { stroke: soft, grid, ticks: grid, font, space: 72, size: 32, values: (_, splits, __, ___, increment) => splits.map((at) => moment(at, increment)) },
        { stroke: soft, grid, ticks: { show: false }, font, size: 64, values: (_, splits) => splits.map(unit), incrs: this.increments() },
      ],
      series: [
        {},
        ...lines.map((line) => {
          const stroke = resolved(line.colour, this.figure);
          const fill = line.fill ? resolved("--accent-soft", this.figure) : undefined;
          return {
            label: line.title,
            stroke,
            width: 1.5,
            points: { show: true, size: 4, fill: stroke, filter: (plot: uPlot, series: number) => lone(plot.data[series] ?? []) },
            // A minute without a sample or two is a line; a longer silence is a gap.
            gaps: (plot: uPlot, series: number, first: number, last: number, gaps: uPlot.Series.Gaps) => longer(plot, first, last, gaps, step, series),
            ...(line.dash ? { dash: line.dash } : {}),
            ...(fill ? { fill } : {}),
          };
        }),
      ],
      hooks: { setCursor: [(plot) => this.tell(null, plot.cursor.idx ?? null)] },
    };
  }

  /** Whole steps on the scale: there is no half machine, no half millisecond, and memory is counted in GiB. */
  private increments(): number[] {
    const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000];
    return this.picture.unit === gib ? [0.25, 0.5, ...steps].map((value) => value * GIB) : steps;
  }

  private latest: Samples | null = null;

  /** Writes each line's figure beside its name: at the cursor, or the newest. */
  private tell(samples: Samples | null, index: number | null): void {
    if (samples) this.latest = samples;
    if (!this.latest) return;
    for (const line of this.picture.lines) {
      const column = this.latest[line.column] ?? [];
      const value = index === null ? newest(column) : (column[index] ?? null);
      const place = this.values.get(line.column);
      if (place) place.textContent = value === null ? "–" : this.picture.unit(value);
    }
  }

  private inWords(samples: Samples): string {
    const parts = this.picture.lines.map((line) => {
      const known = (samples[line.column] ?? []).filter((value) => value !== null);
      if (known.length === 0) return t("{title}: no figures", { title: line.title });
      return t("{title}: newest {newest}, most {most}", {
        title: line.title,
        newest: this.picture.unit(known.at(-1) ?? 0),
        most: this.picture.unit(Math.max(...known)),
      });
    });
    return `${this.picture.title}. ${parts.join("; ")}.`;
  }
}

/** Where a value stands alone: between gaps there is no line to see. */
function lone(column: ArrayLike<number | null | undefined>): number[] {
  return Array.from(column, (value, index) => (value == null || column[index - 1] != null || column[index + 1] != null ? -1 : index)).filter(
    (index) => index >= 0,
  );
}

const newest = (column: Column): number | null => column.findLast((value) => value !== null) ?? null;

function longer(plot: uPlot, _first: number, _last: number, gaps: uPlot.Series.Gaps, step: number, _series: number): uPlot.Series.Gaps {
  const wide = (plot.valToPos(step, "x", true) - plot.valToPos(0, "x", true)) * 3.5;
  return gaps.filter(([from, to]) => to - from > wide);
}

export class Pictures {
  private readonly drawn = PICTURES.map((picture) => new Drawn(picture));
  private samples: Samples | null = null;

  constructor(private readonly place: HTMLElement) {
    place.append(...this.drawn.map((item) => item.figure));
    watchTheme(() => this.draw());
    new ResizeObserver(() => this.drawn.forEach((item) => item.resize())).observe(place);
  }

  async refresh(): Promise<void> {
    const response = await fetch(this.place.dataset.samples ?? "", { credentials: "same-origin" });
    if (!response.ok || response.redirected) throw new Error(`status ${response.status}`);
    this.samples = (await response.json()) as Samples;
    this.draw();
  }

  excuse(): void {
    this.place.prepend(element("p", { class: "message error", role: "alert" }, t("The history did not come. Reload the page to try again.")));
  }

  private draw(): void {
    if (!this.samples) return;
    for (const item of this.drawn) item.draw(this.samples);
  }
}
