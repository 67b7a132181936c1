/** The divider between files and terminal: mouse, touch and arrow keys; its place is remembered on this device. */
import { t } from "../i18n";
import { recall, remember } from "../preferences";

const STORED = "files-height";
const LEAST = 20;
const MOST = 80;

export function startHeight(panel: HTMLElement, divider: HTMLElement): void {
  let height = 50;
  const place = (percent: number): void => {
    height = Math.min(MOST, Math.max(LEAST, percent));
    panel.style.setProperty("--files", height.toFixed(1));
    divider.setAttribute("aria-valuenow", String(Math.round(height)));
    divider.setAttribute("aria-valuetext", t("Files {files} percent, terminal {terminal} percent", { files: Math.round(height), terminal: Math.round(100 - height) }));
  };
  const settle = (): void => remember(STORED, height.toFixed(1));
  place(Number(recall(STORED)) || 50);

  divider.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    divider.focus();
    divider.setPointerCapture(event.pointerId);
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const pane = panel.parentElement?.getBoundingClientRect();
    const top = panel.getBoundingClientRect().top;
    if (pane) place(((event.clientY - top) / (pane.bottom - top)) * 100);
  });
  divider.addEventListener("lostpointercapture", settle);
  divider.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 2;
    const to = { ArrowUp: height - step, ArrowDown: height + step, Home: LEAST, End: MOST, Enter: 50 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    place(to);
    settle();
  });
}
