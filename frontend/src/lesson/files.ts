/** The button that opens a machine's files. The panel is a chunk of its own, loaded when it is first opened. */
import type { FilesPanel } from "../files/panel";
import { reasonOf } from "../lab/api";
import type { LabPane } from "../lab/pane";

export interface LessonFiles {
  /** Opens a file of the machine in the editor. */
  open(path: string): void;
  /** Where there is room for one of the two, brings the terminal back. */
  uncover(): void;
}

export function startFiles(pane: LabPane, announce: (text: string) => void): LessonFiles {
  const button = pane.querySelector<HTMLButtonElement>(".lab-files");
  const host = pane.querySelector<HTMLElement>(".files");
  if (!button || !host) return { open: () => undefined, uncover: () => undefined };
  let panel: FilesPanel | null = null;
  const open = async (): Promise<FilesPanel> => {
    const { FilesPanel } = await import("../files/panel");
    panel ??= new FilesPanel(host, () => pane.running, announce);
    host.hidden = false;
    button.setAttribute("aria-expanded", "true");
    return panel;
  };
  const inPanel = (act: (opened: FilesPanel) => void): void => {
    void open().then(act, (error: unknown) => pane.tell(reasonOf(error)));
  };
  const close = (): void => {
    host.hidden = true;
    button.setAttribute("aria-expanded", "false");
  };
  button.addEventListener("click", () => {
    if (!host.hidden) return close();
    inPanel((opened) => opened.opened());
  });
  // A machine that ends takes its files with it, not what was typed and not saved.
  new MutationObserver(() => {
    if (pane.running) panel?.machineChanged();
    else if (!panel?.unsaved) close();
  }).observe(pane, { attributeFilter: ["data-state"] });
  return {
    open: (path) => inPanel((opened) => void opened.openPath(path)),
    uncover: () => {
      const body = pane.querySelector(".lab-body");
      if (!host.hidden && body && getComputedStyle(body).display === "none") close();
    },
  };
}
