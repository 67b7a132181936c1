/** The divider between text and terminal: mouse, touch and arrow keys; its place is remembered on this device. */
import { recall, remember } from "../preferences";
import { t } from "../i18n";

const STORED = "lesson-split";
const LEAST = 25;
const MOST = 75;

export function startSplit(split: HTMLElement, divider: HTMLElement, moved: () => void): void {
  let read = 45;
  const place = (percent: number): void => {
    read = Math.min(MOST, Math.max(LEAST, percent));
    split.style.setProperty("--read", read.toFixed(1));
    divider.setAttribute("aria-valuenow", String(Math.round(read)));
    divider.setAttribute("aria-valuetext", t("Text {read} percent, terminal {rest} percent", { read: Math.round(read), rest: Math.round(100 - read) }));
    moved();
  };
  const settle = (): void => remember(STORED, read.toFixed(1));
  const stored = Number(recall(STORED));
  if (stored) place(stored);

  divider.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    divider.focus();
    divider.setPointerCapture(event.pointerId);
    divider.classList.add("dragging");
    document.body.classList.add("dragging");
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = split.getBoundingClientRect();
    place(((event.clientX - box.left) / box.width) * 100);
  });
  divider.addEventListener("lostpointercapture", () => {
    divider.classList.remove("dragging");
    document.body.classList.remove("dragging");
    settle();
  });
  divider.addEventListener("dblclick", () => {
    place(45);
    settle();
  });
  divider.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 2;
    const to = { ArrowLeft: read - step, ArrowRight: read + step, Home: LEAST, End: MOST, Enter: 45 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    place(to);
    settle();
  });
}

/** Below 900 px one of the two is shown; the other lives on. */
export function startSwitch(split: HTMLElement, bar: HTMLElement, shown: (view: string) => void): (view: "read" | "terminal") => void {
  const buttons = [...bar.querySelectorAll<HTMLButtonElement>("button[data-view]")];
  const show = (view: string): void => {
    split.dataset.view = view;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    shown(view);
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.view ?? "read"));
  return show;
}

/** Keeps the page as tall as what the on-screen keyboard leaves, where the browser does not do that itself. */
export function followKeyboard(): void {
  const visible = window.visualViewport;
  if (!visible) return;
  const fit = (): void => {
    const covered = window.innerHeight - visible.height > 1 && visible.scale === 1;
    document.body.style.setProperty("--visible-height", covered ? `${visible.height}px` : "100dvh");
  };
  visible.addEventListener("resize", fit);
}
