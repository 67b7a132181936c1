/** Where the person is in the lesson, kept on the server: another browser goes on there, with the commands they ran marked. */
import { csrfToken } from "../lab/api";
import { mark, runButtons, stepOf } from "./runner";

interface Place {
  heading: string;
  ran: number[];
}

const QUIET_MS = 1500;
/** A heading counts as reached when it is in the upper part of what is seen. */
const REACHED = 0.35;

export class PlaceKeeper {
  private readonly ran = new Set<number>();
  private heading: string | null = null;
  private sent: string;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly prose: HTMLElement,
    private readonly scroller: HTMLElement | null,
    private readonly place: Place,
  ) {
    this.sent = place.heading;
    const buttons = runButtons(prose);
    for (const index of place.ran) {
      const button = buttons[index];
      if (button) mark(stepOf(button), "ran");
    }
    this.goBack();
    (scroller ?? document).addEventListener("scroll", () => this.soon(), { passive: true });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.report();
    });
  }

  noteRun(index: number): void {
    this.ran.add(index);
    this.soon();
  }

  /** Unless the address names a place itself. */
  private goBack(): void {
    if (location.hash || !this.place.heading) return;
    document.getElementById(this.place.heading)?.scrollIntoView({ block: "start", behavior: "instant" });
  }

  private soon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.report(), QUIET_MS);
  }

  private reached(): string {
    const top = this.scroller?.getBoundingClientRect().top ?? 0;
    const limit = top + (this.scroller?.clientHeight ?? innerHeight) * REACHED;
    const headings = [...this.prose.querySelectorAll<HTMLElement>("h2[id], h3[id]")];
    return headings.findLast((heading) => heading.getBoundingClientRect().top <= limit)?.id ?? "";
  }

  private report(): void {
    clearTimeout(this.timer);
    // A text that is not shown has no places.
    if (!this.scroller || this.scroller.offsetParent !== null) this.heading = this.reached();
    const moved = this.heading !== null && this.heading !== this.sent;
    if (!moved && this.ran.size === 0) return;
    const ran = [...this.ran];
    const body = { ...(moved ? { heading: this.heading } : {}), ran };
    this.ran.clear();
    void this.send(body).then((arrived) => {
      if (arrived) {
        if (moved) this.sent = this.heading ?? "";
      } else for (const index of ran) this.ran.add(index);
    });
  }

  /** What does not arrive goes with the next report. */
  private async send(body: object): Promise<boolean> {
    try {
      const response = await fetch(new URL("progress/", location.origin + location.pathname), {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
        credentials: "same-origin",
        keepalive: true,
      });
      return response.ok;
    } catch (error) {
      console.info("The place in the lesson was not kept:", error);
      return false;
    }
  }
}

/** Null for who is not signed in. */
export function keepPlace(prose: HTMLElement, scroller: HTMLElement | null): PlaceKeeper | null {
  const place = JSON.parse(document.getElementById("place")?.textContent ?? "null") as Place | null;
  return place ? new PlaceKeeper(prose, scroller, place) : null;
}
