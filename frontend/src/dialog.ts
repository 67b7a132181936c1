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

export interface TextQuestion extends Omit<Question, "body"> {
  text: string;
  field: HTMLInputElement | HTMLTextAreaElement;
  label: string;
  help: string;
  /** Takes the place of `help` where nothing was written. */
  missing: string;
}

/** A question whose answer is a text; null when the person thinks better of it. */
export async function askText({ text, field, label, help, missing, ...question }: TextQuestion): Promise<string | null> {
  const below = element("p", { class: "help", id: `${field.id}-help` }, help);
  field.setAttribute("aria-describedby", below.id);
  const box = element("div", { class: "field" }, element("label", { for: field.id }, label), field, below);
  while (await ask({ ...question, body: [text, box] })) {
    const answer = field.value.trim();
    if (answer) return answer;
    below.textContent = missing;
    box.classList.add("invalid");
  }
  return null;
}
