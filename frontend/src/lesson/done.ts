/** Mark as done without leaving the page; the form works without this too. */
import { t } from "../i18n";
export function startDone(form: HTMLFormElement, announce: (text: string) => void): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(form, announce);
  });
}

async function send(form: HTMLFormElement, announce: (text: string) => void): Promise<void> {
  const button = form.querySelector("button");
  if (button) button.disabled = true;
  try {
    const response = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json", "X-Requested-With": "fetch" },
      credentials: "same-origin",
    });
    if (!response.ok || (response.redirected && response.url.includes("/login/"))) throw new Error(`status ${response.status}`);
    const note = document.createElement("span");
    note.className = "done-note";
    note.textContent = t("Done");
    form.replaceWith(note);
    announce(t("Lesson marked as done"));
  } catch (error) {
    console.warn("Not marked as done:", error);
    if (button) {
      button.disabled = false;
      button.textContent = t("Not saved. Try again");
    }
  }
}
