/** The keys a phone's keyboard lacks. */
import type { LabPane } from "../lab/pane";

export function startKeybar(bar: HTMLElement, pane: LabPane): void {
  const ctrl = bar.querySelector<HTMLButtonElement>("[data-key=Ctrl]");
  const press = (on: boolean): void => ctrl?.setAttribute("aria-pressed", String(on));
  // Keeps the focus, and with it the keyboard, in the terminal.
  bar.addEventListener("pointerdown", (event) => event.preventDefault());
  bar.addEventListener("click", (event) => {
    const name = (event.target as Element).closest<HTMLButtonElement>("button")?.dataset.key;
    const view = pane.view;
    if (!name || !view) return;
    if (name !== "Ctrl") return view.key(name);
    const on = ctrl?.getAttribute("aria-pressed") !== "true";
    press(on);
    view.armCtrl(on ? press : null);
  });
}
