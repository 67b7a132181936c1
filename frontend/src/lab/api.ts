/** The JSON contract of a lab, as docs/architecture.md has it. */
import { t } from "../i18n";

export interface Step {
  name: string;
  label: string;
  state: "done" | "doing";
  ms: number | null;
}

export interface LabTerminal {
  id: string;
  number: number;
  title: string;
  /** Rises with each fresh shell in it. */
  shell: number;
  path: string;
}

/** A port of the machine that a server listens on. */
export interface Port {
  port: number;
  /** Not on 127.0.0.1 alone. */
  reachable: boolean;
}

export interface Warning {
  reason: "idle" | "deadline";
  ends_at: string;
  text: string;
}

/** A limit the machine ran into and lived on. */
export interface Notice {
  id: string;
  at: string;
  kind: "memory" | "processes" | "disk" | "terminal";
  title: string;
  text: string;
}

export interface End {
  reason: string;
  title: string;
  text: string;
  can_restart: boolean;
}

export interface Queue {
  position: number;
  length: number;
}

/** The saved machine that a lab was resumed from, or becomes. */
export interface Kept {
  id: string;
  name: string;
  state: "saving" | "saved" | "running" | "failed";
  resumable: boolean;
}

/** A saved machine of this lesson, as its page lists it. */
export interface Saved {
  id: string;
  name: string;
  size: string;
  saved_at: string;
  why_not: string;
}

export interface Lab {
  id: string;
  lesson: string;
  state: "queued" | "creating" | "running" | "stopping" | "stopped" | "failed";
  steps: Step[];
  terminals: LabTerminal[];
  /** The place in the line while every machine is in use. */
  queue: Queue | null;
  started_at: string | null;
  deadline_at: string | null;
  idle_ends_at: string | null;
  idle_seconds: number;
  ports: Port[];
  /** Where the site lets its owner in to a port, followed by `<port>/`; null where it shows none. */
  ports_path: string | null;
  warning: Warning | null;
  notices: Notice[];
  saved: Kept | null;
  end: End | null;
}

/** A refusal, in the server's words. `code` decides the way on. */
export class LabError extends Error {
  constructor(
    readonly code: string,
    readonly title: string,
    readonly text: string,
  ) {
    super(`${code}: ${text}`);
  }
}

export function csrfToken(): string {
  return document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

/** Raises LabError. A Blob is sent as it is, anything else as JSON. */
export async function call<Answer = Lab>(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        Accept: "application/json",
        "Content-Type": body instanceof Blob ? "application/octet-stream" : "application/json",
        "X-CSRFToken": csrfToken(),
      },
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: body instanceof Blob ? body : JSON.stringify(body) }),
    });
  } catch {
    throw new LabError("offline", t("The site did not answer"), t("Check your connection, then try again."));
  }
  if (response.redirected || response.status === 401) {
    throw new LabError("signed-out", t("You are signed out"), t("Sign in again to go on where you were."));
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer as Answer;
  const error = (answer as { error?: { code: string; title: string; text: string } } | null)?.error;
  if (error) throw new LabError(error.code, error.title, error.text);
  if (response.status === 403) {
    throw new LabError("stale", t("This page is too old"), t("You signed in or out since it was opened. Reload it, then try again."));
  }
  throw new LabError("unclear", t("The site could not answer"), t("It replied with status {status}. Try again in a moment.", { status: response.status }));
}

export const startLab = (lesson: string): Promise<Lab> => call("POST", "/labs/", { lesson });
export const fetchLab = (id: string): Promise<Lab> => call("GET", `/labs/${id}/`);
export const keepLab = (id: string): Promise<Lab> => call("POST", `/labs/${id}/keep/`);
export const stopLab = (id: string): Promise<Lab> => call("POST", `/labs/${id}/stop/`);
export const extendLab = (id: string): Promise<Lab> => call("POST", `/labs/${id}/extend/`);
/** `opening` is the terminal's number. */
export const openTerminal = (id: string, number?: number): Promise<Lab & { opening: number }> =>
  call("POST", `/labs/${id}/terminals/`, number === undefined ? {} : { number });
export const renameTerminal = (id: string, number: number, title: string): Promise<Lab> =>
  call("POST", `/labs/${id}/terminals/${number}/rename/`, { title });
export const restartTerminal = (id: string, number: number): Promise<Lab> => call("POST", `/labs/${id}/terminals/${number}/restart/`);
export const closeTerminal = (id: string, number: number): Promise<Lab> => call("POST", `/labs/${id}/terminals/${number}/close/`);
export const transcriptUrl = (id: string, number: number): string => `/labs/${id}/terminals/${number}/transcript`;
/** A link for somebody else, and when it ends. */
export const sharePort = (id: string, port: number): Promise<{ url: string; expires_at: string }> => call("POST", `/labs/${id}/ports/${port}/share/`);
export const unsharePorts = (id: string): Promise<Lab> => call("POST", `/labs/${id}/unshare/`);
export const saveLab = (id: string, name: string): Promise<Lab> => call("POST", `/labs/${id}/save/`, { name });
export const resumeLab = (savedId: string): Promise<Lab> => call("POST", `/saved/${savedId}/lab/`);

export const reasonOf = (error: unknown): string => (error instanceof LabError ? error.text : t("The site did not answer. Try again."));
