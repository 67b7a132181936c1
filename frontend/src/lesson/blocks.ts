/** The lesson's blocks come alive: copy, run, write a file, fold long output. */
import { element } from "../element";
import { copyText } from "../terminal/clipboard";
import { t } from "../i18n";
import { type Runner, runStep, stepOf } from "./runner";

const FOLD_OVER = 12;

export interface Blocks extends Runner {
  prose: HTMLElement;
  openFile(path: string): void;
}

export function startBlocks(blocks: Blocks): void {
  const { prose, pane } = blocks;
  prose.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("button");
    if (button?.matches(".copy")) void copy(button, blocks);
    // The second click of a double click is no second run.
    else if (button?.matches(".run, .write-file") && event.detail < 2) void runStep(stepOf(button), blocks);
    else if (button?.matches(".open-file")) void openFile(button, blocks);
    const port = (event.target as Element).closest<HTMLAnchorElement>("a.port");
    if (port && pane && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      void openPort(port, blocks);
    }
  });
  if (!pane) for (const button of prose.querySelectorAll<HTMLElement>(".run, .write-file, .open-file")) button.hidden = true;
  for (const code of prose.querySelectorAll<HTMLElement>(".command code")) keepWordsWhole(code);
  for (const link of prose.querySelectorAll<HTMLElement>("a.port")) link.title = t("Open this port beside the lesson");
  for (const output of prose.querySelectorAll<HTMLElement>(".console .output")) foldOutput(output);
  for (const box of prose.querySelectorAll<HTMLElement>("pre")) {
    // What scrolls must be reachable by keyboard.
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}

async function copy(button: HTMLButtonElement, { announce }: Blocks): Promise<void> {
  try {
    await copyText(button.closest<HTMLElement>("[data-command]")?.dataset.command ?? "");
    button.textContent = t("Copied");
    announce(t("Copied"));
  } catch {
    button.textContent = t("Not allowed");
    button.title = t("Your browser did not let the page copy. Select the text and copy it.");
  }
  setTimeout(() => (button.textContent = t("Copy")), 1500);
}

async function openFile(button: HTMLButtonElement, blocks: Blocks): Promise<void> {
  blocks.showTerminal();
  // The pane says why it cannot.
  if (await blocks.pane?.ready(1)) blocks.openFile(button.closest<HTMLElement>(".file-block")?.dataset.path ?? "");
}

/** A port opens beside the lesson; where the site shows none, it is asked from the terminal. */
async function openPort(link: HTMLAnchorElement, blocks: Blocks): Promise<void> {
  blocks.showTerminal();
  if (await blocks.pane?.openPort(Number(link.dataset.port))) return;
  const view = await blocks.pane?.ready(1);
  await view?.run(`curl --include http://localhost:${Number(link.dataset.port)}/`, false);
  view?.focus();
}

/** A browser may break a line after a dash, and an option would stand in two lines. */
function keepWordsWhole(code: HTMLElement): void {
  const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  for (const text of texts) {
    const words = text.data.split(/(\s+)/);
    text.replaceWith(...words.map((word) => (word.includes("-") ? element("span", { class: "word" }, word) : word)));
  }
}

function foldOutput(output: HTMLElement): void {
  const lines = Number(output.dataset.lines ?? output.textContent?.split("\n").length ?? 0);
  if (lines <= FOLD_OVER) return;
  const toggle = element("button", { type: "button", class: "output-toggle", "aria-expanded": "false" });
  const fold = (folded: boolean): void => {
    output.classList.toggle("collapsed", folded);
    toggle.setAttribute("aria-expanded", String(!folded));
    toggle.textContent = folded ? t("Show all {lines} lines", { lines }) : t("Show less");
  };
  toggle.addEventListener("click", () => fold(!output.classList.contains("collapsed")));
  fold(true);
  output.after(toggle);
}
