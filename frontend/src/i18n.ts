/** Words of the page's scripts in the page's language: locale/<language>/LC_MESSAGES/djangojs.po. The keys are the English words. */
type Values = Record<string, string | number>;

// English pages carry none.
const words = JSON.parse(document.getElementById("script-words")?.textContent ?? "{}") as Record<string, string>;

/** `t("Stops in {seconds} s", { seconds: 5 })` */
export function t(text: string, values: Values = {}): string {
  return (words[text] || text).replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The page's language, for dates and numbers. */
export const language = document.documentElement.lang || undefined;
