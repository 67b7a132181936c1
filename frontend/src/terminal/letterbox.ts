/** Showing a terminal whose size another window decided. */

interface Size {
  cols: number;
  rows: number;
}

const SMALLEST = 6;

/** The font size at which `shared` fits into a window that holds `own` at `base`; never larger than that. */
export function scaledFont(base: number, own: Size, shared: Size): number {
  return Math.max(SMALLEST, Math.floor(base * Math.min(1, own.cols / shared.cols, own.rows / shared.rows)));
}
