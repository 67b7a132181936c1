"""A running site with real sandboxes, and a real Chromium in front of it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from deploy.installation import SOURCE
from tests.browser.person import Person
from tests.ops.stack import Stack

CHROMIUM = "/usr/bin/chromium"
# Chromium as root needs no-sandbox; the rest keeps it from calling home.
ARGUMENTS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--no-first-run", "--disable-domain-reliability",
]  # fmt: skip
COURSE = Path(__file__).parent / "course"


@pytest.fixture(scope="session")
def site() -> Iterator[Stack]:
    """The site as `make run` starts it, with the Docker course and the tests' own course."""
    stack = Stack("browser", PLAYGROUND_POOL="linux=1,docker=1", PLAYGROUND_MAX_PER_USER="2")
    state, shared = stack.installation.state, Path(os.environ["PLAYGROUND_STATE"])
    stack.installation.claim()
    for name in ("images", "registry"):  # built once, by `make test`
        if not (state / name).is_symlink():
            (state / name).symlink_to(shared / name)
    shutil.rmtree(state / "db", ignore_errors=True)
    stack.prepare()
    for course in (SOURCE / "courses" / "docker", COURSE):
        subprocess.run([sys.executable, "manage.py", "course", "import", str(course)], cwd=SOURCE, env=stack.environment, check=True)
    stack.start()
    yield stack
    assert stack.stop() == 0


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(site: Stack, chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(
        base_url=f"http://127.0.0.1:{site.installation.port}",
        viewport={"width": 1440, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    )
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; what its console called an error fails the test that was using it."""
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    assert problems == []


@pytest.fixture
def student(page: Page, site: Stack) -> Iterator[Person]:
    """The demo student, signed in; the machines they leave running are stopped."""
    person = Person(page, site, "student")
    person.sign_in()
    yield person
    person.leave()


@pytest.fixture
def learner(page: Page, site: Stack) -> Iterator[Person]:
    """Somebody who has just signed up, so that nothing of another test is theirs."""
    person = Person(page, site, f"learner-{time.time_ns()}")
    person.sign_up()
    yield person
    person.leave()
