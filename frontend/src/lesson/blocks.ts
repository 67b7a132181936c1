/** The lesson's blocks come alive: copy, run, write a file, fold long output. */
import type { LabPane } from "../lab/pane";
import { element } from "../element";
import { copyText } from "../terminal/clipboard";
import { heredoc } from "./heredoc";

const FOLD_OVER = 12;

export interface Blocks {
  prose: HTMLElement;
  pane: LabPane | null;
  /** Brings the terminal into view where only one of the two is shown. */
  showTerminal(): void;
  announce(text: string): void;
}

export function startBlocks(blocks: Blocks): void {
  const { prose, pane } = blocks;
  prose.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("button");
    if (button?.matches(".copy")) void copy(button, blocks);
    else if (button?.matches(".run")) void run(button, blocks);
    else if (button?.matches(".write-file")) void writeFile(button, blocks);
    const port = (event.target as Element).closest<HTMLAnchorElement>("a.port");
    if (port && pane) {
      event.preventDefault();
      void ask(port, blocks);
    }
  });
  if (!pane) for (const button of prose.querySelectorAll<HTMLElement>(".run, .write-file")) button.hidden = true;
  for (const code of prose.querySelectorAll<HTMLElement>(".command code")) keepWordsWhole(code);
  for (const link of prose.querySelectorAll<HTMLElement>("a.port")) link.title = "Ask this port from the terminal";
  for (const output of prose.querySelectorAll<HTMLElement>(".console .output")) foldOutput(output);
  for (const box of prose.querySelectorAll<HTMLElement>("pre")) {
    // What scrolls must be reachable by keyboard.
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}

async function copy(button: HTMLButtonElement, { announce }: Blocks): Promise<void> {
  try {
    await copyText(button.closest<HTMLElement>("[data-command]")?.dataset.command ?? "");
    button.textContent = "Copied";
    announce("Copied");
  } catch {
    button.textContent = "Not allowed";
    button.title = "Your browser did not let the page copy. Select the text and copy it.";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

async function run(button: HTMLButtonElement, blocks: Blocks): Promise<void> {
  const command = button.closest<HTMLElement>("[data-command]");
  const number = Number(button.closest<HTMLElement>(".console")?.dataset.terminal ?? 1);
  await type(button, command?.dataset.command ?? "", number, command?.dataset.interrupt !== undefined, "Run again", blocks);
}

async function writeFile(button: HTMLButtonElement, blocks: Blocks): Promise<void> {
  const block = button.closest<HTMLElement>(".file-block");
  const text = heredoc(block?.dataset.path ?? "", block?.querySelector("pre")?.textContent ?? "");
  await type(button, text, Number(block?.dataset.terminal ?? 1), false, "Write again", blocks);
}

/** A port is asked from inside the machine: the answer shows in the terminal. */
async function ask(link: HTMLAnchorElement, blocks: Blocks): Promise<void> {
  blocks.showTerminal();
  const view = await blocks.pane?.ready(1);
  await view?.run(`curl --include http://localhost:${Number(link.dataset.port)}/`, false);
  view?.focus();
}

async function type(button: HTMLButtonElement, text: string, number: number, interrupt: boolean, again: string, blocks: Blocks): Promise<void> {
  blocks.showTerminal();
  const view = await blocks.pane?.ready(number);
  // The pane says why it cannot.
  if (!view) return;
  await view.run(text, interrupt);
  view.focus();
  button.classList.add("ran");
  button.textContent = again;
  const label = button.getAttribute("aria-label");
  if (label) button.setAttribute("aria-label", label.replace(/^[^:]*/, again));
  blocks.announce(`Typed into terminal ${number}`);
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
    toggle.textContent = folded ? `Show all ${lines} lines` : "Show less";
  };
  toggle.addEventListener("click", () => fold(!output.classList.contains("collapsed")));
  fold(true);
  output.after(toggle);
}
