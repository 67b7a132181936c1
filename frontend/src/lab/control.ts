/** What the server says about a lab: its WebSocket, and the lab fetched anew whenever that had been down. */
import { Backoff, socketUrl, whenBack } from "../backoff";
import { fetchLab, type Lab, LabError } from "./api";

export interface ControlEvents {
  lab(lab: Lab): void;
  /** The lab cannot be watched any more: signed out, or it is not this person's. */
  refused(error: LabError): void;
}

export class LabControl {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private over = false;
  private readonly backoff = new Backoff();
  private readonly stopWatching: () => void;

  constructor(
    private readonly id: string,
    private readonly events: ControlEvents,
  ) {
    this.stopWatching = whenBack(() => {
      if (!this.socket && !this.over) this.open();
    });
    this.open();
  }

  close(): void {
    this.over = true;
    this.stopWatching();
    clearTimeout(this.timer);
    this.socket?.close(1000);
    this.socket = null;
  }

  private open(): void {
    clearTimeout(this.timer);
    const socket = new WebSocket(socketUrl(`/ws/labs/${this.id}/`));
    this.socket = socket;
    socket.addEventListener("message", (event: MessageEvent<string>) => {
      if (socket !== this.socket) return;
      this.backoff.reset();
      const message = JSON.parse(event.data) as { type: string; lab?: Lab };
      if (message.type === "lab" && message.lab) this.events.lab(message.lab);
    });
    socket.addEventListener("close", () => {
      if (socket !== this.socket) return;
      this.socket = null;
      void this.refetch();
      this.timer = setTimeout(() => this.open(), this.backoff.next());
    });
  }

  private async refetch(): Promise<void> {
    try {
      const lab = await fetchLab(this.id);
      if (!this.over) this.events.lab(lab);
    } catch (error) {
      const final = error instanceof LabError && ["signed-out", "not-found", "forbidden"].includes(error.code);
      if (!final || this.over) return;
      this.close();
      this.events.refused(error);
    }
  }
}
