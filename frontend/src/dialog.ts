import "./styles/dialog.css";
import { element } from "./element";
import { t } from "./i18n";

/** A question in the page, never the browser's own box. Resolves true for the confirming button, false for everything else. */
export interface Question {
  title: string;
  body: (string | Node)[];
  confirm: string;
  cancel?: string;
  danger?: boolean;
}

export function ask(question: Question): Promise<boolean> {
  const box = document.createElement("dialog");
  const title = element("h2", {}, question.title);
  title.id = "dialog-title";
  box.setAttribute("aria-labelledby", title.id);
  const parts = question.body.map((part) => (typeof part === "string" ? element("p", {}, part) : part));
  const confirm = element("button", { type: "button", class: `button ${question.danger ? "danger" : "primary"}` }, question.confirm);
  const cancel = element("button", { type: "button", class: "button" }, question.cancel ?? t("Cancel"));
  box.append(title, element("div", { class: "body" }, ...parts), element("div", { class: "actions" }, cancel, confirm));
  document.body.append(box);
  const focusBefore = document.activeElement;
  return new Promise((resolve) => {
    confirm.addEventListener("click", () => box.close("yes"));
    cancel.addEventListener("click", () => box.close());
    box.addEventListener("close", () => {
      resolve(box.returnValue === "yes");
      box.remove();
      if (focusBefore instanceof HTMLElement) focusBefore.focus();
    });
    box.showModal();
    (question.danger ? cancel : confirm).focus();
  });
}
