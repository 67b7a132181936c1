/** Asks for a name, in the page. Resolves null where the person leaves it. */
import { t } from "../i18n";
import { element } from "../element";
import { problem } from "./names";

export function askName(title: string, confirm: string, value = ""): Promise<string | null> {
  const heading = element("h2", { id: "name-title" }, title);
  const input = element("input", { type: "text", id: "name-input", autocomplete: "off", spellcheck: "false", "aria-describedby": "name-problem", value });
  const label = element("label", { for: "name-input" }, t("Name"));
  const wrong = element("p", { class: "errors", id: "name-problem", role: "alert" });
  const cancel = element("button", { type: "button", class: "button" }, t("Cancel"));
  const yes = element("button", { type: "submit", class: "button primary" }, confirm);
  const actions = element("div", { class: "actions" }, cancel, yes);
  const form = element("form", { method: "dialog" }, heading, element("div", { class: "field" }, label, input, wrong), actions);
  const box = element("dialog", { "aria-labelledby": heading.id }, form);
  document.body.append(box);
  const before = document.activeElement;
  return new Promise((resolve) => {
    cancel.addEventListener("click", () => box.close());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      wrong.textContent = problem(input.value) ?? "";
      if (!wrong.textContent) box.close(input.value);
    });
    box.addEventListener("close", () => {
      resolve(box.returnValue || null);
      box.remove();
      if (before instanceof HTMLElement) before.focus();
    });
    box.showModal();
    input.focus();
    const dot = value.lastIndexOf(".");
    input.setSelectionRange(0, dot > 0 ? dot : value.length);
  });
}
