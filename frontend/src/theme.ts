import { remember } from "./preferences";
import { t } from "./i18n";

/** Light or dark: the system's choice until the person makes one. The page's head applies a stored choice before first paint. */
const STORED = "theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export type Theme = "light" | "dark";

export function effectiveTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return dark.matches ? "dark" : "light";
}

/** Calls `listener` now and whenever the theme changes; returns its undo. */
export function watchTheme(listener: (theme: Theme) => void): () => void {
  const tell = (): void => listener(effectiveTheme());
  dark.addEventListener("change", tell);
  document.addEventListener("themechange", tell);
  tell();
  return () => {
    dark.removeEventListener("change", tell);
    document.removeEventListener("themechange", tell);
  };
}

export function startThemeToggle(button: HTMLButtonElement): void {
  watchTheme((theme) => {
    document.documentElement.dataset.effectiveTheme = theme;
    button.setAttribute("aria-label", theme === "dark" ? t("Use the light theme") : t("Use the dark theme"));
  });
  button.addEventListener("click", () => {
    const next: Theme = effectiveTheme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    remember(STORED, next);
    document.dispatchEvent(new Event("themechange"));
  });
}
