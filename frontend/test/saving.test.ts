import { describe, expect, it, vi } from "vitest";
import type { Saved } from "../src/lab/api";
import { choiceCard, keptCard } from "../src/lab/saving";

const saved = (number: number, why_not = ""): Saved => ({
  id: `id-${number}`,
  name: `<b>Number ${number}</b>`,
  size: "12 MiB",
  saved_at: "2026-11-25T10:00:00Z",
  why_not,
});
const end = { reason: "saved", title: "Your machine is saved", text: "Its files are kept.", can_restart: true };

describe("the choice between saved machines", () => {
  it("resumes the one that is pressed, and shows names as text", () => {
    const resume = vi.fn();
    const box = choiceCard("Title", "Text", [saved(1), saved(2)], resume, vi.fn());
    expect(box.querySelectorAll("b").length).toBe(0);
    box.querySelectorAll<HTMLButtonElement>("li button")[1]?.click();
    expect(resume).toHaveBeenCalledExactlyOnceWith("id-2");
  });

  it("says why one cannot be resumed now instead of offering it", () => {
    const box = choiceCard("Title", "Text", [saved(1, "Its node does not answer now.")], vi.fn(), vi.fn());
    expect(box.querySelector("li button")).toBeNull();
    expect(box.textContent).toContain("Its node does not answer now.");
    expect(box.querySelector(".actions .primary")?.textContent).toBe("Start a fresh machine");
  });

  it("names how many more there are", () => {
    const box = choiceCard("Title", "Text", [1, 2, 3, 4, 5, 6].map((number) => saved(number)), vi.fn(), vi.fn());
    expect(box.querySelectorAll("li button").length).toBe(4);
    expect(box.textContent).toContain("2 more are on your home page.");
  });
});

describe("the end of a kept machine", () => {
  it("offers to resume it only once it is put away", () => {
    const kept = { id: "id", name: "mine", state: "saving", resumable: false } as const;
    expect(keptCard(end, kept, vi.fn(), vi.fn()).textContent).not.toContain("Resume");
    const resume = vi.fn();
    const box = keptCard(end, { ...kept, state: "saved", resumable: true }, resume, vi.fn());
    box.querySelector<HTMLButtonElement>(".primary")?.click();
    expect(resume).toHaveBeenCalledExactlyOnceWith("id");
  });
});
