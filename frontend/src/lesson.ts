import "./styles/prose.css";
import "./styles/code.css";
import "./styles/lesson.css";
import "./styles/lab.css";
import "./styles/ports.css";
import "./styles/files.css";
import { findPane } from "./lab/pane";
import { startFiles } from "./lesson/files";
import { startBlocks } from "./lesson/blocks";
import { startDone } from "./lesson/done";
import { startKeybar } from "./lesson/keybar";
import { startKeys } from "./lesson/keys";
import { keepPlace } from "./lesson/place";
import { startRunAll } from "./lesson/runall";
import { startOutline } from "./lesson/outline";
import { followKeyboard, startSplit, startSwitch } from "./lesson/split";

const find = <T extends HTMLElement = HTMLElement>(selector: string): T | null => document.querySelector<T>(selector);

const pane = findPane();
const split = find(".split");
const text = find(".split-read") ?? find("main");
const status = find("#announcer");
const announce = (words: string): void => {
  if (status) status.textContent = words;
};

let show: ((view: "read" | "terminal") => void) | null = null;
const divider = find(".divider");
const bar = find(".view-switch");
if (pane && split && divider && bar) {
  startSplit(split, divider, () => pane.fit());
  show = startSwitch(split, bar, (view) => {
    if (view === "terminal") pane.fit();
  });
  followKeyboard();
  const keybar = find(".keybar");
  if (keybar) startKeybar(keybar, pane);
}

const files = pane ? startFiles(pane, announce) : null;
const showTerminal = (): void => {
  show?.("terminal");
  files?.uncover();
};
const prose = find(".prose");
if (prose) {
  const place = keepPlace(prose, find(".split-read"));
  const runner = { pane, announce, showTerminal, ran: (index: number) => place?.noteRun(index) };
  startBlocks({ prose, ...runner, openFile: (path) => files?.open(path) });
  startRunAll(prose, runner);
}
startOutline([...document.querySelectorAll<HTMLAnchorElement>(".outline a")], find(".split-read"));
const done = find<HTMLFormElement>("form.mark-done");
if (done) startDone(done, announce);

startKeys({
  focusTerminal: () => {
    showTerminal();
    pane?.focusTerminal();
  },
  focusText: () => {
    show?.("read");
    if (pane?.classList.contains("full")) find(".lab-full")?.click();
    text?.focus({ preventScroll: true });
  },
  toggleFull: () => find(".lab-full")?.click(),
});
