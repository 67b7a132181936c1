import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/forms.css";
import "./styles/catalogue.css";
import "./styles/quotas.css";
import { exact, relative, setServerTime } from "./clock";
import { reasonOf, stopLab } from "./lab/api";
import { fetchPart, poll } from "./poll";
import { startThemeToggle } from "./theme";
import { t } from "./i18n";

const toggle = document.querySelector<HTMLButtonElement>(".theme-toggle");
if (toggle) startThemeToggle(toggle);

const now = document.body.dataset.now;
if (now) setServerTime(now);

for (const time of document.querySelectorAll<HTMLTimeElement>("time[data-relative]")) {
  time.textContent = relative(time.dateTime);
  time.title = exact(time.dateTime);
}

// A menu closes as menus do: by Escape, and by a press elsewhere.
const closeMenus = (except?: Node | null): void => {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    if (!except || !menu.contains(except)) menu.open = false;
  }
};
document.addEventListener("click", (event) => closeMenus(event.target as Node));
document.addEventListener("keydown", (event) => {
  const menu = document.querySelector<HTMLDetailsElement>("details.menu[open]");
  if (event.key !== "Escape" || !menu) return;
  menu.open = false;
  if (menu.contains(document.activeElement)) menu.querySelector("summary")?.focus();
});

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-stop-lab]")) {
  button.addEventListener("click", () => void stopFromList(button));
}

// A machine that is being saved is looked at until it is.
if (document.querySelector("#saved-list [data-busy]")) {
  poll(2, async () => {
    if (!document.querySelector("#saved-list [data-busy]")) return;
    const fresh = (await fetchPart("saved")).querySelector("#saved-list");
    if (fresh) document.querySelector("#saved-list")?.replaceWith(fresh);
  });
}

/** The first press asks, the second stops: files in the machine are gone afterwards. */
async function stopFromList(button: HTMLButtonElement): Promise<void> {
  const state = button.closest("li")?.querySelector(".state");
  if (button.dataset.sure === undefined) {
    button.dataset.sure = "";
    button.textContent = button.dataset.kept ? t("Stop; it stays saved") : t("Stop and delete its files");
    return;
  }
  button.disabled = true;
  try {
    await stopLab(button.dataset.stopLab ?? "");
    button.remove();
    if (state) {
      state.textContent = t("Stopping");
      state.className = "state stopping";
    }
  } catch (error) {
    button.disabled = false;
    if (state) state.textContent = reasonOf(error);
  }
}
