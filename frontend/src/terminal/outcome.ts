/** How a command that was typed into a terminal ended. */
import type { IDisposable, IEvent } from "@xterm/xterm";
import type { ShellMarks } from "./marks";

/** Between two commands of one paste the shell shows a prompt for a moment. */
const NEXT_COMMAND_MS = 200;
/** A prompt without marks may be a line of output that looks like one: it is believed when nothing follows it. */
export const QUIET_MS = 1000;

/** The exit status, or null where only a quiet prompt tells that it is over. */
export interface Outcome {
  status: number | null;
}

export interface Watched {
  readonly marks: Pick<ShellMarks, "listen" | "prompt" | "looksLikePrompt">;
  readonly printed: IEvent<void>;
}

/** Call it just before the command is sent. Null when `signal` says that nobody waits any more. */
export function outcome({ marks, printed }: Watched, commands: number, signal: AbortSignal): Promise<Outcome | null> {
  return new Promise((resolve) => {
    let started = false;
    let status: number | null = null;
    let ended = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listening: IDisposable[] = [];
    const finish = (found: Outcome | null): void => {
      clearTimeout(timer);
      for (const listener of listening) listener.dispose();
      signal.removeEventListener("abort", aborted);
      resolve(found);
    };
    const aborted = (): void => finish(null);
    const after = (milliseconds: number, act: () => void): void => {
      clearTimeout(timer);
      timer = setTimeout(act, milliseconds);
    };
    listening.push(
      marks.listen((mark) => {
        if (mark.kind === "command") {
          started = true;
          ended = false;
          clearTimeout(timer);
        } else if (mark.kind === "end" && started) {
          ({ status } = mark);
          ended = true;
        } else if (mark.kind === "prompt" && ended) {
          if (commands === 1) finish({ status });
          else after(NEXT_COMMAND_MS, () => finish({ status }));
        }
      }),
      printed(() => {
        if (ended && marks.prompt) return;
        after(QUIET_MS, () => {
          if (!marks.prompt && marks.looksLikePrompt()) finish({ status: null });
        });
      }),
    );
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted);
  });
}
