/** How this person likes their terminals: size of the text, colours, screen reader. Kept on this device, the same in all terminals. */
import { t } from "../i18n";
import { recall, remember } from "../preferences";

export const LEAST_SIZE = 8;
const MOST_SIZE = 28;
/** `page`: light or dark as the page is. */
export const THEMES = { page: t("Colours as the page"), contrast: t("High contrast"), paper: t("Paper"), midnight: t("Midnight") } as const;
export type ThemeChoice = keyof typeof THEMES;

const SIZE = "terminal-font-size";
const THEME = "terminal-theme";
const SCREEN_READER = "screen-reader";

const usualSize = (): number => (matchMedia("(max-width: 479px)").matches ? 12 : 14);
const listeners = new Set<() => void>();

/** Calls `listener` whenever a setting changes; returns its undo. */
export function watchSettings(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function set(key: string, value: string): void {
  remember(key, value);
  for (const listener of listeners) listener();
}

export function fontSize(): number {
  const stored = Number(recall(SIZE));
  return stored >= LEAST_SIZE && stored <= MOST_SIZE ? stored : usualSize();
}

/** One step larger (1) or smaller (-1), or back to the usual size (0). */
export function stepFontSize(step: -1 | 0 | 1): void {
  const size = step === 0 ? usualSize() : fontSize() + step;
  set(SIZE, String(Math.min(MOST_SIZE, Math.max(LEAST_SIZE, size))));
}

export function themeChoice(): ThemeChoice {
  const stored = recall(THEME);
  return stored !== null && Object.hasOwn(THEMES, stored) ? (stored as ThemeChoice) : "page";
}

export const chooseTheme = (choice: ThemeChoice): void => set(THEME, choice);
export const screenReader = (): boolean => recall(SCREEN_READER) === "on";
export const setScreenReader = (on: boolean): void => set(SCREEN_READER, on ? "on" : "off");
