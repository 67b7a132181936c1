import { beforeEach, describe, expect, it, vi } from "vitest";
import { panelTab, startTabs, tabOf, type TabEvents } from "../src/lab/tabs";
import { fontSize, LEAST_SIZE, stepFontSize, themeChoice } from "../src/terminal/settings";

describe("the tabs of the terminals", () => {
  let tabs: HTMLElement;
  let events: { [name in keyof TabEvents]: ReturnType<typeof vi.fn> };
  const press = (tab: Element | null, key: string): void => void tab?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));

  beforeEach(() => {
    events = { show: vi.fn(), focus: vi.fn(), rename: vi.fn(), close: vi.fn(), select: vi.fn(), closePanel: vi.fn() };
    tabs = document.createElement("div");
    tabs.append(tabOf(1, "Terminal 1"), tabOf(3, "logs"));
    document.body.replaceChildren(tabs);
    startTabs(tabs, events as never);
  });

  it("arrows go round them and show each", () => {
    press(tabs.children[1] ?? null, "ArrowRight");
    expect(events.show).toHaveBeenCalledWith(1);
    expect(document.activeElement).toBe(tabs.children[0]);
    press(tabs.children[0] ?? null, "ArrowLeft");
    expect(events.show).toHaveBeenCalledWith(3);
  });

  it("F2 asks for a name, and Escape leaves it as it was", () => {
    for (const [key, calls] of [
      ["Escape", []],
      ["Enter", [[3, "db"]]],
    ] as const) {
      press(tabs.querySelector("#tab-3"), "F2");
      const input = tabs.querySelector("input");
      expect(input?.value).toBe("logs");
      if (input) input.value = " db ";
      press(input, key);
      expect(events.rename.mock.calls).toEqual(calls);
      expect(tabs.querySelector("input")).toBeNull();
    }
  });

  it("Delete and the cross close, and a click elsewhere goes there", () => {
    press(tabs.querySelector("#tab-3"), "Delete");
    tabs.querySelector<HTMLElement>("#tab-1 .tab-close")?.click();
    tabs.querySelector<HTMLElement>("#tab-3 .name")?.click();
    expect(events.close.mock.calls).toEqual([[3], [1]]);
    expect(events.focus.mock.calls).toEqual([[3]]);
  });

  it("a panel's tab is shown and closed by its name, and keeps it", () => {
    const tab = panelTab("port-8080", ":8080");
    tabs.append(tab);
    press(tabs.querySelector("#tab-3"), "ArrowRight");
    tab.click();
    expect(events.select.mock.calls).toEqual([["port-8080"], ["port-8080"]]);
    press(tab, "F2");
    expect(tabs.querySelector("input")).toBeNull();
    press(tab, "Delete");
    expect(events.closePanel.mock.calls).toEqual([["port-8080"]]);
    expect(events.close).not.toHaveBeenCalled();
  });
});

describe("terminal settings", () => {
  beforeEach(() => localStorage.clear());

  it("the text's size has bounds and is remembered", () => {
    const usual = fontSize();
    for (let step = 0; step < 40; step += 1) stepFontSize(-1);
    expect(fontSize()).toBe(LEAST_SIZE);
    stepFontSize(0);
    expect(fontSize()).toBe(usual);
  });

  it("what is stored and unknown is the page's own", () => {
    localStorage.setItem("terminal-theme", "toString");
    expect(themeChoice()).toBe("page");
    localStorage.setItem("terminal-theme", "paper");
    expect(themeChoice()).toBe("paper");
  });
});
