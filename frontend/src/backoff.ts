/** Waits between attempts: 0.25 s doubling to 8 s, each with up to half as much again so that many pages do not come back at once. */
export class Backoff {
  private attempt = 0;

  constructor(private readonly random: () => number = Math.random) {}

  next(): number {
    const wait = Math.min(8000, 250 * 2 ** this.attempt);
    this.attempt += 1;
    return Math.round(wait * (1 + this.random() / 2));
  }

  reset(): void {
    this.attempt = 0;
  }
}

/** Runs `retry` at once when the network or the tab comes back: waiting out a backoff then only annoys. Returns its undo. */
export function whenBack(retry: () => void): () => void {
  const seen = (): void => {
    if (document.visibilityState === "visible") retry();
  };
  window.addEventListener("online", retry);
  document.addEventListener("visibilitychange", seen);
  return () => {
    window.removeEventListener("online", retry);
    document.removeEventListener("visibilitychange", seen);
  };
}

export function socketUrl(path: string): string {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
