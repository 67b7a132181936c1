import { describe, expect, it } from "vitest";
import { type PaletteName, palettes } from "../src/terminal/palette";

/** WCAG 2.2's relative luminance and contrast ratio. */
function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

describe.each(Object.keys(palettes) as PaletteName[])("the %s palette", (name) => {
  const { background, selectionBackground, selectionInactiveBackground, cursorAccent, ...colours } = palettes[name];

  it.each(Object.entries(colours))("%s reads on the background", (_colour, value) => {
    expect(contrast(value as string, background as string)).toBeGreaterThanOrEqual(4.5);
  });

  it("text reads while it is selected", () => {
    // The search marks its matches with the same two colours.
    for (const selected of [selectionBackground, selectionInactiveBackground]) {
      expect(contrast(colours.foreground as string, selected as string)).toBeGreaterThanOrEqual(4.5);
    }
    expect(cursorAccent).toBe(background);
  });
});
