"""Every page in a real Chromium: axe finds nothing in light and dark, wide and narrow; nothing breaks the content security policy."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.person import Person
from tests.ops.stack import Stack

# WCAG 2.2 AA, and what axe calls good practice: one h1, headings in order, everything in a landmark.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], "resultTypes": ["violations"]}
# What another width and other colours can change.
LOOKS = {"runOnly": ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"], "resultTypes": ["violations"]}
KEEP_PICTURES = bool(os.environ.get("PLAYGROUND_TEST_PICTURES"))  # in the site's state directory, for a person to look at
NARROWEST = 320  # px, WCAG 2.2 reflow
SHELL = "/courses/course/machines/shell/"
IDLE = "/courses/course/machines/idle/"
VISITOR = {
    "home": "/",
    "courses": "/courses/",
    "course": "/courses/docker/",
    "lesson": "/courses/docker/about/about-this-course/",
    "lesson-signed-out": IDLE,
    "sign-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "reset": "/accounts/password/reset/",
    "reset-done": "/accounts/password/reset/done/",
    "reset-link": "/accounts/password/reset/key/1-bad-link/",
    "confirm-link": "/accounts/confirm-email/bad/",
    "404": "/nothing/here/",
}
STUDENT = {
    "start": "/",
    "course-begun": "/courses/docker/",
    "lesson-idle": IDLE,
    "machines-none": "/machines/",
    "account": "/accounts/",
    "email": "/accounts/email/",
    "password": "/accounts/password/change/",
    "sessions": "/accounts/sessions/",
    "app": "/accounts/2fa/totp/activate/",
    "passkey": "/accounts/2fa/webauthn/add/",
    "passkeys": "/accounts/2fa/webauthn/",
    "delete": "/accounts/delete/",
    "sign-out": "/accounts/logout/",
    "403": "/manage/health/",
}
ADMIN = {
    "manage-machines": "/manage/machines/",
    "health": "/manage/health/",
    "quotas": "/manage/quotas/",
    "quota-new": "/manage/quotas/new/",
}


class Look:
    """Looks at pages as they are shown."""

    def __init__(self, page: Page, site: Stack) -> None:
        self.page = page
        self.pictures = Path(site.installation.state) / "screenshots"
        self.pictures.mkdir(exist_ok=True)
        self.found: list[str] = []
        page.on("console", lambda message: self.found.append(message.text) if "Content Security Policy" in message.text else None)
        page.on("pageerror", lambda error: self.found.append(str(error)))

    def at(self, name: str, path: str | None = None) -> None:
        if path is not None:
            self.page.goto(path)
            assert urlsplit(self.page.url).path == path, f"{name}: sent on to {self.page.url}"
        for kind, width, scheme, rules in (("light", 1440, "light", RULES), ("phone-dark", 360, "dark", LOOKS)):
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            self.page.wait_for_timeout(50)
            found: Any = Axe().run(self.page, options=rules)
            self.found += [
                f"{name} {kind}: {rule['id']}: {node['html'][:160]}" for rule in found.response["violations"] for node in rule["nodes"]
            ]
            if KEEP_PICTURES:
                self.page.screenshot(path=self.pictures / f"page-{name}-{kind}.png", full_page=True)
        self.page.set_viewport_size({"width": NARROWEST, "height": 640})
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        if wide > NARROWEST:
            self.found.append(f"{name}: {wide} px wide in a window of {NARROWEST} px")
        self.page.set_viewport_size({"width": 1440, "height": 900})

    def no_problems(self) -> None:
        assert self.found == [], "\n".join(self.found)


@pytest.fixture
def look(page: Page, site: Stack) -> Look:
    return Look(page, site)


@pytest.fixture
def visitor(site: Stack, chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(base_url=f"http://127.0.0.1:{site.installation.port}", viewport={"width": 1440, "height": 900})
    made.set_default_timeout(20_000)
    yield made
    made.close()


def test_a_visitors_pages(look: Look) -> None:
    for name, path in VISITOR.items():
        look.at(name, path)
    look.page.goto("/accounts/login/")
    look.page.get_by_label("Password", exact=True).fill("wrong")
    look.page.get_by_label("Username or email").fill("nobody")
    look.page.get_by_role("button", name="Sign in", exact=True).click()
    look.at("sign-in-refused")
    look.no_problems()


def test_a_learners_pages(look: Look, learner: Person) -> None:
    learner.page.goto("/accounts/delete/")
    look.at("confirm-password")
    learner.confirm_password()
    for name, path in STUDENT.items():
        look.at(name, path)
    look.no_problems()


def test_a_lesson_with_a_machine_from_start_to_end(look: Look, learner: Person) -> None:
    learner.page.goto(SHELL)
    learner.at_the_prompt()
    look.at("lesson-running")
    learner.page.keyboard.press("?")
    look.at("keys")
    learner.page.keyboard.press("Escape")
    look.at("machines", "/machines/")
    learner.page.goto(SHELL)
    learner.at_the_prompt()
    learner.page.get_by_role("button", name="Stop the machine").click()
    learner.confirm()
    expect(learner.page.locator(".lab-card")).to_be_visible()
    look.at("lesson-ended")
    look.no_problems()


def test_operators_pages(look: Look, site: Stack) -> None:
    Person(look.page, site, "admin").sign_in()
    for name, path in ADMIN.items():
        look.at(name, path)
    look.no_problems()


def test_in_german(look: Look, learner: Person) -> None:
    page = learner.page
    page.goto("/accounts/")
    page.get_by_label("Language").select_option("Deutsch")
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("heading", name="Ihr Konto")).to_be_visible()
    for name, path in (
        ("de-account", "/accounts/"),
        ("de-start", "/"),
        ("de-machines", "/machines/"),
        ("de-password", "/accounts/password/change/"),
    ):
        look.at(name, path)
    page.goto(SHELL)
    page.get_by_role("button", name="Maschine starten").click()
    learner.at_the_prompt()
    expect(page.locator(".lab-state")).to_contain_text("noch")
    page.get_by_role("button", name="Maschine stoppen").click()
    page.get_by_role("button", name="Stoppen", exact=True).click()
    expect(page.get_by_role("heading", name="Sie haben diese Maschine gestoppt")).to_be_visible()
    look.at("de-lesson")
    look.no_problems()


def test_while_the_site_is_closed(look: Look, site: Stack) -> None:
    switch = site.installation.state / "run" / "maintenance"  # what `manage.py maintenance` writes
    switch.write_text("Until 14:00: a larger disk.")
    try:
        look.at("closed", "/courses/")
        expect(look.page.locator("main")).to_contain_text("Until 14:00: a larger disk.")
    finally:
        switch.unlink()
    look.no_problems()


def test_without_scripts_a_lesson_stays_readable(site: Stack, chromium: Browser) -> None:
    plain = chromium.new_context(base_url=f"http://127.0.0.1:{site.installation.port}", java_script_enabled=False)
    page = plain.new_page()
    page.goto(IDLE)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("heading", name="The terminal needs JavaScript")).to_be_visible()
    page.goto("/")
    expect(page.locator(".showcase-terminal pre")).to_contain_text("docker run --rm debian echo hello")
    plain.close()


def test_the_recording_plays_and_pauses(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.goto("/")
    rows = page.locator(".showcase-screen .xterm-rows")
    expect(rows).to_contain_text("docker")  # typed from 1.1 s on
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    shown = rows.inner_text()
    page.wait_for_timeout(400)
    assert rows.inner_text() == shown


def test_with_less_motion_the_recording_waits(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.emulate_media(reduced_motion="reduce")
    page.goto("/")
    expect(page.get_by_role("button", name="Play again")).to_be_visible()
    expect(page.locator(".showcase-screen .xterm-rows")).to_contain_text(re.compile("hello"))


def test_the_keyboard_reaches_everything_and_leaves_the_terminal(learner: Person) -> None:
    page = learner.page
    page.goto(SHELL)
    learner.at_the_prompt()
    page.reload()
    learner.at_the_prompt()
    _at_the_top(page)
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("F6")
    expect(page.locator(".xterm-helper-textarea").first).to_be_focused()
    page.keyboard.press("F6")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("From text to terminal and back")
    page.keyboard.press("Escape")
    reached = _tab_through(page)
    assert {"Skip to the content", "Playground, home", "Courses", "Width of the text", "Stop the machine"} <= reached


def _at_the_top(page: Page) -> None:
    """Backwards from the text to the first thing on the page."""
    page.locator("#main").focus()
    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('.skip')"):
            return
    raise AssertionError("Shift+Tab does not come to the skip link")


def _tab_through(page: Page) -> set[str]:
    """The names of all that Tab comes to, each of which shows that it has the focus."""
    _at_the_top(page)
    names: set[str] = set()
    for _ in range(60):
        name, visible = page.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.getAttribute("aria-label") ?? e.textContent.trim(),
              e === document.body || e.matches(".xterm-helper-textarea") || s.outlineStyle !== "none" || s.boxShadow !== "none"]; }"""
        )
        assert visible, f"{name!r} does not show its focus"
        if "Terminal 1." in name:
            page.keyboard.press("F6")  # Tab belongs to the shell
            page.locator(".lab-full").focus()
        elif name in names and name == "Skip to the content":
            break
        names.add(name)
        page.keyboard.press("Tab")
    return names
