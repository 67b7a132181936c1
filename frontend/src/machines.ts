/** The pages Machines: figures that stay fresh, and a stop that can be taken back for five seconds. */
import "./styles/operator.css";
import { askText } from "./dialog";
import { element } from "./element";
import { csrfToken } from "./lab/api";
import { fetchPart, poll, tellTimes } from "./poll";
import { t } from "./i18n";

const GRACE = 5; // s in which a stop can be taken back
const list = document.querySelector<HTMLElement>("#machines");

/** Rows in which something is under way: the next answer of the server does not touch what can be pressed there. */
const busy = new Map<string, { flush: () => void }>();

async function refresh(): Promise<void> {
  if (!list) return;
  const fresh = await fetchPart("list");
  tellTimes(fresh);
  const now = list.querySelector("ul");
  const next = fresh.querySelector("ul");
  if (!now || !next) {
    if (busy.size === 0) list.replaceChildren(fresh);
    return;
  }
  replace(list.querySelector("#totals"), fresh.querySelector("#totals"));
  merge(now, next);
}

/** Brings the rows up to date one by one, so that what has the focus, or is being stopped, stays in its place. */
function merge(now: Element, next: Element): void {
  for (const row of [...now.children]) {
    if (!next.querySelector(`#${row.id}`)) row.remove();
  }
  let place: Element | null = now.firstElementChild;
  for (const fresh of [...next.children]) {
    const row = document.getElementById(fresh.id);
    if (!row) {
      now.insertBefore(fresh, place);
      continue;
    }
    if (row === place) place = row.nextElementSibling;
    else now.insertBefore(row, place);
    const parts = [...row.querySelectorAll("[data-live]")];
    [...fresh.querySelectorAll("[data-live]")].forEach((part, index) => replace(parts[index] ?? null, part));
    if (!busy.has(row.id)) {
      const action = row.querySelector("[data-action]");
      const wanted = fresh.querySelector("[data-action]");
      if (action && wanted && action.childElementCount !== wanted.childElementCount) action.replaceWith(wanted);
    }
  }
}

function replace(old: Element | null, fresh: Element | null): void {
  if (old && fresh && !old.isEqualNode(fresh)) old.replaceWith(fresh);
}

async function stop(link: HTMLAnchorElement): Promise<void> {
  const row = link.closest("li");
  const action = link.closest<HTMLElement>("[data-action]");
  if (!row || !action) return;
  let words = "";
  if (link.dataset.owner !== undefined) {
    const answer = await askForWords(link.dataset.owner, link.dataset.kept !== undefined);
    if (answer === null) return;
    words = answer;
  }
  const undone = await grace(row.id, action, () => send(link.href, words, true));
  if (undone) {
    action.replaceChildren(link);
    link.focus();
    return;
  }
  action.replaceChildren(element("span", { class: "small muted", role: "status" }, t("Stopping")));
  const problem = await send(link.href, words, false);
  busy.delete(row.id);
  if (problem) action.replaceChildren(link, element("p", { class: "small errors", role: "alert" }, problem));
  else await refresh().catch(() => undefined); // the next look brings it
}

/** What the owner is told; null when the admin thinks better of it. */
function askForWords(owner: string, kept: boolean): Promise<string | null> {
  return askText({
    title: t("Stop the machine of {owner}?", { owner }),
    text: kept ? t("Its files stay saved.") : t("Its files are deleted with it."),
    field: element("textarea", { id: "words", rows: "3", maxlength: "500", required: "" }),
    label: t("What {owner} is told", { owner }),
    help: t("They see this where their terminal was."),
    missing: t("Write why: a machine that ends without a reason looks broken."),
    confirm: t("Stop the machine"),
    danger: true,
  });
}

/** Counts down in the row. Resolves true if it was taken back. Leaving the page does at once what was decided. */
function grace(id: string, action: HTMLElement, act: () => Promise<string>): Promise<boolean> {
  return new Promise((resolve) => {
    const left = element("span", { class: "small" });
    const undo = element("button", { type: "button", class: "button compact" }, t("Undo"));
    let seconds = GRACE;
    const tell = (): void => {
      left.textContent = t("Stops in {seconds} s", { seconds });
    };
    const end = (undone: boolean): void => {
      clearInterval(timer);
      if (undone) busy.delete(id);
      resolve(undone);
    };
    const timer = setInterval(() => {
      seconds -= 1;
      if (seconds <= 0) end(false);
      else tell();
    }, 1000);
    undo.addEventListener("click", () => end(true));
    busy.set(id, { flush: () => void act() });
    tell();
    action.replaceChildren(left, undo);
    undo.focus();
  });
}

/** Returns what is wrong, or nothing. */
async function send(address: string, words: string, keepalive: boolean): Promise<string> {
  const body = new URLSearchParams({ words });
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  try {
    const response = await fetch(address, { method: "POST", credentials: "same-origin", headers, body, keepalive });
    if (response.status === 204 || response.status === 404) return ""; // not there: it has ended by itself
    const answer = (await response.json().catch(() => null)) as { error?: string } | null;
    return answer?.error ?? t("The site could not stop it. Reload the page, then try again.");
  } catch {
    return t("The site did not answer. Try again.");
  }
}

tellTimes(document);
if (list) {
  list.addEventListener("click", (event) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>("a[data-stop]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    void stop(link);
  });
  addEventListener("pagehide", () => {
    for (const { flush } of busy.values()) flush();
    busy.clear();
  });
  poll(5, refresh);
}

for (const select of document.querySelectorAll<HTMLSelectElement>(".filter select")) {
  select.addEventListener("change", () => select.form?.requestSubmit());
}
