/** A text's line ends, kept as they are. An editor's lines are split at LF; what is written back joins them as they were. */

export interface Lines {
  /** What joins the lines again. */
  end: "\n" | "\r\n";
  /** The editor must split at LF alone: some line ends differ, and CR stays in the text where it stands. */
  strict: boolean;
}

export function lineEnds(text: string): Lines {
  const carriage = text.split("\r").length - 1;
  if (carriage === 0) return { end: "\n", strict: false };
  const pairs = text.split("\r\n").length - 1;
  const feeds = text.split("\n").length - 1;
  return carriage === pairs && feeds === pairs ? { end: "\r\n", strict: false } : { end: "\n", strict: true };
}
