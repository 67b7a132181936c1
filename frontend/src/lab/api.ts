/** The JSON contract of a lab, as docs/architecture.md has it. */

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
  path: string;
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
  warning: Warning | null;
  notices: Notice[];
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

function csrfToken(): string {
  return document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

async function call(method: "GET" | "POST", path: string, body?: unknown): Promise<Lab> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new LabError("offline", "The site did not answer", "Check your connection, then try again.");
  }
  if (response.redirected || response.status === 401) {
    throw new LabError("signed-out", "You are signed out", "Sign in again to go on where you were.");
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer as Lab;
  const error = (answer as { error?: { code: string; title: string; text: string } } | null)?.error;
  if (error) throw new LabError(error.code, error.title, error.text);
  if (response.status === 403) {
    throw new LabError("stale", "This page is too old", "You signed in or out since it was opened. Reload it, then try again.");
  }
  throw new LabError("unclear", "The site could not answer", `It replied with status ${response.status}. Try again in a moment.`);
}

export const startLab = (lesson: string): Promise<Lab> => call("POST", "/labs/", { lesson });
export const fetchLab = (id: string): Promise<Lab> => call("GET", `/labs/${id}/`);
export const keepLab = (id: string): Promise<Lab> => call("POST", `/labs/${id}/keep/`);
export const stopLab = (id: string): Promise<Lab> => call("POST", `/labs/${id}/stop/`);
