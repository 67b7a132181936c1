/** What the menu of the terminals' bar has, and the terminal's own menu behind its first items. */
import { t } from "../i18n";
import type { MenuItem } from "../terminal/menu";
import { chooseTheme, stepFontSize, type ThemeChoice, themeChoice, THEMES } from "../terminal/settings";
import type { Split } from "./screens";

export interface Bar {
  split: Split;
  /** Why there cannot be another terminal; empty: there can. */
  full: string;
  /** Why this one cannot be closed. */
  last: string;
  exited: boolean;
  timeLeft: string;
  extend(): void;
  open(): void;
  rename(): void;
  restart(): void;
  close(): void;
  setSplit(split: Split): void;
  transcript(): void;
}

const SPLITS: [Split, string][] = [
  ["none", t("One terminal")],
  ["row", t("Two side by side")],
  ["column", t("Two, one below the other")],
];

export function barItems(bar: Bar): (MenuItem | null)[] {
  const item = (label: string, act: () => void, disabled = "", hint = ""): MenuItem => ({
    label,
    act,
    ...(disabled ? { disabled } : {}),
    ...(hint ? { hint } : {}),
  });
  return [
    item(t("New terminal"), () => bar.open(), bar.full),
    item(t("Rename"), () => bar.rename(), "", t("F2 on its tab")),
    item(t("Restart the shell"), () => bar.restart(), bar.exited ? "" : t("Its shell runs. End it with exit first.")),
    item(t("Close the terminal"), () => bar.close(), bar.last),
    item(t("Download the transcript"), () => bar.transcript()),
    item(t("Add an hour"), () => bar.extend(), "", bar.timeLeft),
    null,
    ...SPLITS.map(([split, label]) => ({ label, radio: true, checked: bar.split === split, act: () => bar.setSplit(split) })),
    null,
    item(t("Larger text"), () => stepFontSize(1), "", "Ctrl+Alt++"),
    item(t("Smaller text"), () => stepFontSize(-1), "", "Ctrl+Alt+-"),
    item(t("Usual size"), () => stepFontSize(0), "", "Ctrl+Alt+0"),
    null,
    ...(Object.entries(THEMES) as [ThemeChoice, string][]).map(([choice, label]) => ({
      label,
      radio: true,
      checked: themeChoice() === choice,
      act: () => chooseTheme(choice),
    })),
    null,
  ];
}
