/** Times as people say them, by the server's clock: a learner's own may be minutes off. */
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
  if (minutes < 1) return "less than a minute";
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes / 60} h`;
}

export function relative(iso: string): string {
  const seconds = Math.round((Date.parse(iso) - Date.now() - ahead) / 1000);
  return seconds >= 0 ? `in ${duration(seconds)}` : `${duration(-seconds)} ago`;
}

/** Of what has happened: a moment ago is never in the future, however two clocks differ. */
export function ago(iso: string): string {
  return `${duration(Math.max(0, Math.round((Date.now() + ahead - Date.parse(iso)) / 1000)))} ago`;
}

export function exact(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

export function size(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${(bytes / 1024 / 1024).toFixed(1)} MiB` : `${Math.max(1, Math.round(bytes / 1024))} KiB`;
}
