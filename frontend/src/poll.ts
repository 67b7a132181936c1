import { ago, exact } from "./clock";

const PATIENCE = 3; // answers that may be missing before the page says so

/** Writes the past times within `root` as people say them. */
export function tellTimes(root: ParentNode): void {
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
    time.textContent = ago(time.dateTime);
    time.title = exact(time.dateTime);
  }
}

/** Asks `look` every `seconds` while the page can be seen, one question at a time; `#stale` shows when answers stay out. */
export function poll(seconds: number, look: () => Promise<void>): void {
  const stale = document.querySelector<HTMLElement>("#stale");
  let missing = 0;
  const again = async (): Promise<void> => {
    if (!document.hidden) {
      missing = await look().then(
        () => 0,
        () => missing + 1,
      );
      if (stale) stale.hidden = missing < PATIENCE;
    }
    setTimeout(() => void again(), seconds * 1000);
  };
  setTimeout(() => void again(), seconds * 1000);
}

/** A part of this page as the server draws it now. Rejects when the server does not answer with it, or the person is signed out. */
export async function fetchPart(part: string): Promise<DocumentFragment> {
  const address = new URL(location.href);
  address.searchParams.set("part", part);
  const response = await fetch(address, { credentials: "same-origin" });
  if (!response.ok || response.redirected) throw new Error(`status ${response.status}`);
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return template.content;
}
