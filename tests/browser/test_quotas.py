"""An admin sets limits in the browser, and they bind for learners."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from engine.runtime import cgroups, instance
from tests.browser.person import Person
from tests.ops.stack import Stack


@pytest.fixture
def admin(site: Stack, chromium: Browser) -> Iterator[Person]:
    """The demo admin in a window of their own. Every rule and cap they set is taken back."""
    window = chromium.new_context(base_url=f"http://127.0.0.1:{site.installation.port}", viewport={"width": 1440, "height": 900})
    window.set_default_timeout(20_000)
    person = Person(window.new_page(), site, "admin")
    person.sign_in()
    yield person
    person.page.goto("/manage/quotas/")
    while person.page.get_by_role("link", name="Remove the rule").count():
        person.page.get_by_role("link", name="Remove the rule").first.click()
        person.page.get_by_role("button", name="Remove the rule").click()
    set_most_machines(person, "")
    window.close()


@pytest.fixture
def neighbour(site: Stack, chromium: Browser) -> Iterator[Person]:
    """Another learner, in a window of their own."""
    window = chromium.new_context(base_url=f"http://127.0.0.1:{site.installation.port}", viewport={"width": 1440, "height": 900})
    window.set_default_timeout(20_000)
    person = Person(window.new_page(), site, f"neighbour-{id(window)}")
    person.sign_up()
    yield person
    person.leave()
    window.close()


def set_most_machines(admin: Person, most: str) -> None:
    admin.page.goto("/manage/quotas/")
    admin.page.get_by_role("link", name="Change node").first.click()
    admin.page.get_by_label("Most machines at once").fill(most)
    admin.page.get_by_role("button", name="See what it changes").click()
    admin.page.get_by_role("button", name="Save the node").click()
    expect(admin.page.get_by_text("is saved")).to_be_visible()


def add_rule(admin: Person, user: str, **limits: str) -> None:
    """Up to the preview."""
    admin.page.get_by_role("link", name="Add a rule").click()
    admin.page.get_by_label("Whom it is about").select_option("One user")
    admin.page.get_by_label("User name").fill(user)
    for label, value in limits.items():
        admin.page.get_by_label(label, exact=True).fill(value)
    admin.page.get_by_role("button", name="See what it changes").click()


def held_to(person: Person) -> dict[str, int]:
    """What the kernel holds the person's only machine to."""
    sandbox_id = person.machines()[0]["id"].replace("-", "")

    def look() -> dict[str, int]:
        path = f"{instance.opened(person.site.installation.state).cgroup}/{sandbox_id}"
        if cgroups.unified():
            files = {"memory": cgroups.ROOT / path / "memory.max", "pids": cgroups.ROOT / path / "pids.max"}
        else:
            files = {"memory": cgroups.ROOT / "memory" / path / "memory.limit_in_bytes", "pids": cgroups.ROOT / "pids" / path / "pids.max"}
        return {name: int(file.read_text()) for name, file in files.items()}

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(look).result()


def test_it_works(admin: Person, learner: Person) -> None:
    """A limit is written, looked at, saved; it binds the machine that runs, then the next start."""
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    assert held_to(learner) == {"memory": 512 << 20, "pids": 256}

    admin.page.get_by_text("admin", exact=True).click()
    admin.page.get_by_role("link", name="Quotas").click()
    add_rule(admin, learner.name, **{"Memory": "200 MiB", "Processes": "40", "Machines at once": "1"})
    expect(admin.page.get_by_text("1 machine changes while it runs.")).to_be_visible()
    row = admin.page.get_by_role("row", name=re.compile(learner.name))
    expect(row).to_contain_text("Memory 512 MiB → 200 MiB")
    assert held_to(learner)["pids"] == 256, "nothing has changed yet"
    admin.page.get_by_role("button", name="Save the rule").click()
    expect(admin.page.get_by_text("1 running machine is being changed")).to_be_visible()
    learner.until(lambda: held_to(learner) == {"memory": 200 << 20, "pids": 40}, "the running machine has the new limits", 30)

    assert "Cannot fork" in learner.runs("sh -c 'for i in $(seq 60); do sleep 2 & done' 2>&1")

    admin.page.get_by_label("User name").fill(learner.name)
    admin.page.get_by_role("button", name="Show").click()
    explained = admin.page.get_by_role("row", name=re.compile("^Memory"))
    expect(explained).to_contain_text("200 MiB")
    expect(explained).to_contain_text(f"rule for user {learner.name}")

    learner.open_lesson("A prepared machine")
    expect(learner.page.get_by_role("heading", name="You have as many machines as you may")).to_be_visible()
    expect(learner.page.locator(".lab-card")).to_contain_text("You may run 1 machine at once (set for you)")


def test_bad_input_is_refused_and_kept(admin: Person) -> None:
    admin.page.goto("/manage/quotas/")
    add_rule(admin, "nobody-of-that-name", **{"Memory": "plenty", "Disk": "2 GiB"})
    expect(admin.page.get_by_role("alert")).to_contain_text("nothing is saved yet")
    expect(admin.page.get_by_text("“plenty” is not a size")).to_be_visible()
    expect(admin.page.get_by_label("Memory", exact=True)).to_have_value("plenty")
    expect(admin.page.get_by_label("Disk", exact=True)).to_have_value("2 GiB")


def test_a_full_site_makes_people_wait_in_line(admin: Person, learner: Person, neighbour: Person) -> None:
    """One machine for two: the second sees the place in the line, may leave it, and gets the machine when the first is done."""
    set_most_machines(admin, "1")
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    neighbour.open_lesson("A shell")
    expect(neighbour.page.get_by_role("heading", name="You are next in line")).to_be_visible()
    expect(neighbour.pane).to_have_attribute("data-state", "queued")

    neighbour.shot("quotas-waiting")

    neighbour.page.get_by_role("button", name="Leave the line").click()
    expect(neighbour.page.get_by_role("heading", name="You left the line")).to_be_visible()
    neighbour.page.get_by_role("button", name="Restart").click()
    expect(neighbour.page.get_by_role("heading", name="You are next in line")).to_be_visible()

    learner.page.get_by_role("button", name="Stop the machine").click()
    learner.confirm()
    neighbour.at_the_prompt(30)
    assert neighbour.runs("echo mine").strip() == "mine"


def test_the_screenshots_to_look_at(admin: Person, learner: Person) -> None:
    """Light, dark and phone, kept for a person to look at."""
    shots = Path(admin.site.installation.state) / "screenshots"
    shots.mkdir(exist_ok=True)
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    pages = {"empty": "/manage/quotas/", "rule": "/manage/quotas/new/"}
    for name, path in pages.items():
        admin.page.goto(path)
        _shoot(admin, shots, name)
    admin.page.goto("/manage/quotas/")
    add_rule(admin, learner.name, **{"Memory": "256 MiB", "Disk": "1 GiB", "Machines at once": "1"})
    _shoot(admin, shots, "preview")
    admin.page.get_by_role("button", name="Save the rule").click()
    admin.page.goto(f"/manage/quotas/?user={learner.name}")
    _shoot(admin, shots, "full")
    admin.page.get_by_role("link", name="Change node").first.click()
    _shoot(admin, shots, "node")


def _shoot(admin: Person, shots: Path, name: str) -> None:
    for kind, width, scheme in (("light", 1440, "light"), ("dark", 1024, "dark"), ("phone", 360, "light")):
        admin.page.set_viewport_size({"width": width, "height": 900})
        admin.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        admin.page.wait_for_timeout(300)  # colours change within 120 ms
        width_used = admin.page.evaluate("document.documentElement.scrollWidth")
        assert width_used <= width, f"{name} is wider than a {width} px window"
        found = Axe().run(admin.page)
        assert found.violations_count == 0, found.generate_report()
        file = shots / f"quotas-{name}-{kind}.png"
        admin.page.screenshot(path=file, full_page=True)
        assert file.stat().st_size > 10_000
