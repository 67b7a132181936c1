/** Times as people say them, by the server's clock: a learner's own may be minutes off. */
import { language, t } from "./i18n";
let ahead = 0;

/** `serverTime` is an ISO time the server wrote a moment ago. Differences that a slow page explains are ignored. */
export function setServerTime(serverTime: string): void {
  const difference = Date.parse(serverTime) - Date.now();
  ahead = Math.abs(difference) < 5000 || Number.isNaN(difference) ? 0 : difference;
}

export function secondsUntil(iso: string): number {
  return Math.max(0, Math.round((Date.parse(iso) - Date.now() - ahead) / 1000));
}

export function countdown(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return t("less than a minute");
  if (minutes < 60) return t("{minutes} min", { minutes });
  const rest = minutes % 60;
  return rest ? t("{hours} h {minutes} min", { hours: Math.floor(minutes / 60), minutes: rest }) : t("{hours} h", { hours: minutes / 60 });
}

export function relative(iso: string): string {
  const seconds = Math.round((Date.parse(iso) - Date.now() - ahead) / 1000);
  return seconds >= 0 ? t("in {time}", { time: duration(seconds) }) : t("{time} ago", { time: duration(-seconds) });
}

/** Of what has happened: a moment ago is never in the future, however two clocks differ. */
export function ago(iso: string): string {
  return t("{time} ago", { time: duration(Math.max(0, Math.round((Date.now() + ahead - Date.parse(iso)) / 1000))) });
}

export function exact(iso: string): string {
  return new Date(iso).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
}

export function size(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${(bytes / 1024 / 1024).toFixed(1)} MiB` : `${Math.max(1, Math.round(bytes / 1024))} KiB`;
}
