"""What a person at the site does, in their words."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.ops.stack import Stack

PASSWORD = "correct horse battery"
SCREEN = """() => { const t = window.playgroundTerminals?.[0]; if (!t) return ""; const b = t.buffer.active; const lines = [];
for (let y = 0; y < b.length; y++) { const line = b.getLine(y); const text = line.translateToString(true);
if (line.isWrapped && lines.length) lines[lines.length - 1] += text; else lines.push(text); } return lines.join("\\n"); }"""


class Person:
    def __init__(self, page: Page, site: Stack, name: str) -> None:
        self.page = page
        self.site = site
        self.name = name
        self.labs: set[str] = set()
        page.on("websocket", lambda socket: self.labs.update(re.findall(r"/ws/labs/([0-9a-f-]+)/", socket.url)))

    def sign_in(self) -> None:
        self.page.goto("/accounts/login/")
        self.page.get_by_label(re.compile("username|e-?mail", re.I)).first.fill(self.name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url(re.compile(r":\d+/$"))

    def sign_up(self) -> None:
        self.page.goto("/accounts/signup/")
        self.page.get_by_label(re.compile("^username", re.I)).fill(self.name)
        self.page.get_by_label(re.compile("^e-?mail", re.I)).fill(f"{self.name}@example.org")
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Create account").click()
        self.page.wait_for_url(re.compile(r":\d+/$"))

    def open_lesson(self, title: str, course: str = "Course of the browser tests", *, start: bool = True) -> None:
        """From the home page, by clicking, as a person would; then start its machine, where it has one and none runs."""
        self.page.goto("/courses/")
        self.page.get_by_role("link", name=re.compile(re.escape(course))).first.click()
        self.page.get_by_role("link", name=re.compile(re.escape(title))).first.click()
        # A click does not wait for the page it leads to, and the course's page has no machine to start.
        self.page.wait_for_url(re.compile(r"/courses/[^/]+/[^/]+/[^/]+/$"))
        if start:
            self.starts_the_machine()

    def starts_the_machine(self) -> None:
        """Press the pane's button, unless the pane shows something else already."""
        if self.pane.count():
            expect(self.pane.locator(".lab-card h2, .xterm")).not_to_have_count(0)
        button = self.page.get_by_role("button", name="Start the machine")
        if button.is_visible():
            button.click()

    def shot(self, name: str) -> None:
        """A picture for a person to look at, in the site's state directory."""
        shots = Path(self.site.installation.state) / "screenshots"
        shots.mkdir(exist_ok=True)
        self.page.screenshot(path=shots / f"{name}.png")

    def screen(self) -> str:
        return str(self.page.evaluate(SCREEN))

    def sees(self, text: str | re.Pattern[str], seconds: float = 20) -> None:
        """Wait until the terminal shows it."""
        pattern = re.compile(re.escape(text)) if isinstance(text, str) else text
        self.until(lambda: bool(pattern.search(self.screen())), f"the terminal shows {pattern.pattern!r}", seconds)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not in {seconds:g} s: {what}; the terminal has:\n{self.screen()[-2000:]}"
            self.page.wait_for_timeout(50)

    def at_the_prompt(self, seconds: float = 20) -> None:
        self.starts_the_machine()
        expect(self.pane).to_have_attribute("data-state", "running", timeout=seconds * 1000)
        self.sees(re.compile(r"root@lab:\S*[#$]\s*$"), seconds)

    def types(self, command: str) -> None:
        self.page.locator(".xterm-helper-textarea").first.focus()
        self.page.keyboard.type(command)
        self.page.keyboard.press("Enter")

    def runs(self, command: str, seconds: float = 60) -> str:
        """Type a command and return what it printed, up to a mark that only its end can print."""
        mark = f"end-{time.monotonic_ns()}"
        before = len(re.findall(r"end-\d+:", self.screen()))
        self.types(f"{command}; echo '{mark[:6]}''{mark[6:]}:'$?")
        self.sees(re.compile(rf"^{mark}:\d+", re.M), seconds)
        screen = self.screen()
        assert len(re.findall(r"end-\d+:", screen)) > before
        output = screen[: screen.index(f"{mark}:")]
        return output[output.rindex(mark[6:]) :].partition("\n")[2]

    def lab(self) -> dict[str, Any]:
        """The lab of the lesson that is open, as the site's own page gets it: asking for one that runs returns that one."""
        asked = """async () => {
            const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;
            const body = JSON.stringify({ lesson: document.querySelector("lab-pane").dataset.lesson });
            const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
            return (await fetch("/labs/", { method: "POST", headers, body })).json();
        }"""
        return dict(self.page.evaluate(asked))

    def confirm(self) -> None:
        """Press the dialog's own button, not the one that leaves things as they are."""
        self.page.get_by_role("dialog").locator("button.primary, button.danger").last.click()

    def save(self, name: str) -> None:
        """Save the machine under that name, by its button and the question."""
        self.page.get_by_role("button", name="Save the machine and stop it").click()
        self.page.get_by_role("dialog").get_by_label("Name").fill(name)
        self.page.get_by_role("button", name="Save and stop", exact=True).click()

    @property
    def pane(self) -> Locator:
        return self.page.locator("lab-pane")

    def machines(self) -> list[dict[str, str]]:
        listed = self.site.manage("sandbox", "list", "--json")
        return [machine for machine in json.loads(listed) if machine["owner"] == self.name]

    def leave(self) -> None:
        """Stop what still runs, as the site's own pages do; the engine removes it while the next test begins."""
        self.page.goto("/")
        token = next((item["value"] for item in self.page.context.cookies() if item["name"] == "playground-csrf"), "")
        origin = f"http://127.0.0.1:{self.site.installation.port}"
        for lab in self.labs:
            self.page.request.post(f"/labs/{lab}/stop/", headers={"X-CSRFToken": token, "Origin": origin})

    def confirm_password(self) -> None:
        """Pages that change how one signs in ask for it once more."""
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Confirm").click()
