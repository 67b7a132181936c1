"""Machines and Site health in the browser: what an admin sees of a learner's machine, and how each of them stops it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from tests.browser.person import Person
from tests.ops.stack import Stack


def window(site: Stack, chromium: Browser, *, scripts: bool = True) -> BrowserContext:
    made = chromium.new_context(
        base_url=f"http://127.0.0.1:{site.installation.port}", viewport={"width": 1440, "height": 900}, java_script_enabled=scripts
    )
    made.set_default_timeout(20_000)
    return made


@pytest.fixture
def admin(site: Stack, chromium: Browser) -> Iterator[Person]:
    """The demo admin in a window of their own; what its console called an error fails the test."""
    opened = window(site, chromium)
    person = Person(opened.new_page(), site, "admin")
    problems: list[str] = []
    person.page.on("pageerror", lambda error: problems.append(str(error)))
    person.page.on("console", lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None)
    person.sign_in()
    yield person
    opened.close()
    assert problems == []


def row_of(watcher: Person, owner: Person) -> Locator:
    return watcher.page.locator("#machine-list > li").filter(has_text=owner.name)


def test_it_works(admin: Person, learner: Person) -> None:
    """The admin sees the machine and its figures, thinks better of stopping it, then stops it; the learner reads why."""
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    admin.page.get_by_text("admin", exact=True).click()
    admin.page.get_by_role("link", name="Machines", exact=True).click()
    row = row_of(admin, learner)
    expect(row).to_contain_text("Running")
    # Measured by the worker and brought by the page's own script: nobody reloads.
    expect(row.get_by_role("progressbar", name=re.compile(r"^Memory: [\d.]+ MiB of 512 MiB$"))).to_be_visible(timeout=20_000)
    expect(row.get_by_role("progressbar", name=re.compile(r"^Processes: \d+ of 256$"))).to_be_visible()

    row.get_by_role("link", name="Stop").click()
    dialog = admin.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Stop the machine").click()
    expect(dialog).to_contain_text("Write why")
    dialog.get_by_label(f"What {learner.name} is told").fill("We need the room for the exam.")
    dialog.get_by_role("button", name="Stop the machine").click()
    row.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("link", name="Stop")).to_be_focused()
    learner.runs("echo still-here")

    row.get_by_role("link", name="Stop").click()
    dialog.get_by_label(f"What {learner.name} is told").fill("We need the room for the exam.")
    dialog.get_by_role("button", name="Stop the machine").click()
    expect(learner.page.get_by_role("heading", name="An admin stopped this machine")).to_be_visible(timeout=15_000)
    expect(learner.page.locator(".lab-card")).to_contain_text("We need the room for the exam.")
    expect(row).to_have_count(0, timeout=20_000)


def test_a_learner_stops_their_own_and_may_take_it_back(learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.page.goto("/machines/")
    row = learner.page.locator("#machine-list > li")
    expect(row).to_have_count(1)
    row.get_by_role("link", name="Stop").click()
    expect(row).to_contain_text("Stops in 5 s")
    row.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("link", name="Stop")).to_be_visible()
    assert len(learner.machines()) == 1
    row.get_by_role("link", name="Stop").click()
    expect(learner.page.get_by_role("heading", name="No machine of yours runs")).to_be_visible(timeout=30_000)
    learner.until(lambda: learner.machines() == [], "the machine is gone", 30)


def test_leaving_the_page_stops_what_was_decided(learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.page.goto("/machines/")
    learner.page.get_by_role("link", name="Stop").click()
    learner.page.get_by_role("button", name="Undo").wait_for()
    learner.page.goto("/courses/")
    learner.until(lambda: learner.machines() == [], "the machine is gone", 30)


def test_without_scripts_a_page_asks(site: Stack, chromium: Browser, learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    plain = window(site, chromium, scripts=False)
    page = plain.new_page()
    admin = Person(page, site, "admin")
    admin.sign_in()
    page.goto("/manage/machines/")
    row_of(admin, learner).get_by_role("link", name="Stop").click()
    page.get_by_label("What its owner is told").fill("Without scripts.")
    page.get_by_role("button", name="Stop and delete its files").click()
    expect(page.locator(".message.success")).to_contain_text("Stopping ")
    plain.close()
    expect(learner.page.locator(".lab-card")).to_contain_text("Without scripts.")


def test_site_health_shows_nodes_starts_and_pictures(admin: Person, learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.open_lesson("A lab whose image nobody built")
    learner.page.locator(".lab-card").wait_for()
    admin.page.get_by_text("admin", exact=True).click()
    admin.page.get_by_role("link", name="Site health").click()
    expect(admin.page.locator(".node-list > li")).to_contain_text("Answers")
    expect(admin.page.locator(".node-list").get_by_role("progressbar", name=re.compile("^Memory: .* of "))).to_be_visible()
    started = admin.page.locator(".tiles > div").filter(has_text="Started").locator("dd")
    assert int(started.inner_text()) >= 1
    expect(admin.page.locator(".log").last).to_contain_text("This lab's image is not here")
    # The first sample may come before the first measurement of the node, the second a minute later.
    admin.until(lambda: _pictures(admin) >= 3, "the pictures are drawn", 150)
    expect(admin.page.get_by_role("img", name=re.compile(r"^Machines\. Running: newest \d"))).to_be_visible()
    admin.page.get_by_role("link", name="Last week").click()
    expect(admin.page.get_by_role("link", name="Last week")).to_have_attribute("aria-current", "page")


def _pictures(admin: Person) -> int:
    drawn = admin.page.locator("#pictures canvas").count()
    if not drawn:
        admin.page.reload()
        admin.page.wait_for_timeout(1000)
    return drawn


def test_metrics_are_for_staff(admin: Person, learner: Person) -> None:
    answer = admin.page.request.get("/metrics")
    assert answer.status == 200
    assert 'playground_node_up{node="browser"} 1.0' in answer.text()
    assert learner.page.request.get("/metrics").status == 403


def test_operators_pages_are_not_for_learners(learner: Person) -> None:
    for path in ("/manage/machines/", "/manage/health/"):
        answer = learner.page.goto(path)
        assert answer is not None
        assert answer.status == 403
    learner.page.goto("/")
    learner.page.get_by_text(learner.name, exact=True).click()
    expect(learner.page.get_by_role("link", name="My machines")).to_be_visible()
    expect(learner.page.get_by_role("link", name="Site health")).to_have_count(0)


def test_the_screenshots_to_look_at(admin: Person, learner: Person) -> None:
    """Light, dark and phone, kept for a person to look at; axe finds nothing on any."""
    shots = Path(admin.site.installation.state) / "screenshots"
    shots.mkdir(exist_ok=True)
    learner.page.goto("/machines/")
    _shoot(learner, shots, "mine-empty")
    learner.page.set_viewport_size({"width": 1280, "height": 800})
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.page.goto("/machines/")
    _shoot(learner, shots, "mine")
    for name, path in (("machines", "/manage/machines/"), ("none", "/manage/machines/?owner=nobody"), ("health", "/manage/health/")):
        admin.page.goto(path)
        _shoot(admin, shots, name)
    admin.page.goto("/manage/machines/")
    row_of(admin, learner).get_by_role("link", name="Stop").click()
    admin.page.get_by_role("dialog").wait_for()
    _shoot(admin, shots, "stop")


def _shoot(person: Person, shots: Path, name: str) -> None:
    for kind, width, scheme in (("light", 1440, "light"), ("dark", 1024, "dark"), ("phone", 360, "light")):
        person.page.set_viewport_size({"width": width, "height": 900})
        person.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        person.page.wait_for_timeout(300)  # colours change within 120 ms
        assert person.page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than a {width} px window"
        found = Axe().run(person.page)
        assert found.violations_count == 0, found.generate_report()
        file = shots / f"operator-{name}-{kind}.png"
        person.page.screenshot(path=file, full_page=True)
        assert file.stat().st_size > 10_000
