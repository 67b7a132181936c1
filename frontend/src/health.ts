/** The page Site health: figures that stay fresh, and pictures of the last hour, day or week. */
import "./styles/operator.css";
import { fetchPart, poll, tellTimes } from "./poll";

const pictures = document.querySelector<HTMLElement>("#pictures");

async function refresh(): Promise<void> {
  const fresh = await fetchPart("now");
  tellTimes(fresh);
  for (const piece of fresh.querySelectorAll<HTMLElement>("[data-piece]")) {
    document.querySelector(`[data-piece="${piece.dataset.piece}"]`)?.replaceWith(piece);
  }
}

tellTimes(document);
poll(10, refresh);
if (pictures) {
  const { Pictures } = await import("./pictures");
  const shown = new Pictures(pictures);
  await shown.refresh().catch(() => shown.excuse());
  poll(30, () => shown.refresh());
}
