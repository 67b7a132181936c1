"""What a person, or an attacker, may throw at it: each gets a clear answer, and nothing is lost or leaked."""

import hashlib
import re
import uuid

import pytest
import websockets
from playwright.sync_api import BrowserContext, Page
from websockets.sync.client import connect

from tests.browser.person import Person
from tests.ops.stack import Stack


def close_code(url: str, cookie: str = "", origin: str | None = None) -> int:
    """Open a WebSocket and return the code it is closed with; an HTTP status where the handshake is refused."""

    try:
        with connect(url, additional_headers={"Cookie": cookie}, origin=origin) as socket:  # type: ignore[arg-type]
            while True:
                socket.recv(timeout=10)
    except websockets.ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


def cookies(page: Page) -> str:
    return "; ".join(f"{item['name']}={item['value']}" for item in page.context.cookies())


def terminal_of(person: Person) -> str:
    """Address of the first terminal of the lesson that is open."""
    return f"ws://127.0.0.1:{person.site.installation.port}{person.lab()['terminals'][0]['path']}"


@pytest.fixture
def other(context: BrowserContext, site: Stack) -> Person:
    """Another account, in a browser of its own."""
    browser = context.browser
    assert browser is not None
    page = browser.new_context(base_url=f"http://127.0.0.1:{site.installation.port}").new_page()
    person = Person(page, site, "instructor")
    person.sign_in()
    return person


def test_a_terminal_is_its_owners_alone(learner: Person, other: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    url = terminal_of(learner)
    origin = f"http://127.0.0.1:{learner.site.installation.port}"
    assert close_code(url, origin=origin) == 4401
    assert close_code(url, cookies(other.page), origin) == 4403
    assert close_code(url, cookies(learner.page), "https://evil.example") == 403
    assert close_code(re.sub(r"[^/]+$", str(uuid.uuid4()), url), cookies(learner.page), origin) == 4404
    assert other.page.request.get(f"/labs/{learner.lab()['id']}/").status == 404


def test_an_unknown_image_says_which_there_are(learner: Person) -> None:
    learner.open_lesson("A lab whose image nobody built")
    learner.page.get_by_text(re.compile("no image named 'kubernetes'")).wait_for()
    assert learner.machines() == []


def test_a_failing_setup_shows_what_it_printed_and_leaves_no_machine(learner: Person) -> None:
    learner.open_lesson("A lab whose set-up fails")
    learner.page.get_by_text(re.compile("the disk fell out")).wait_for()
    learner.until(lambda: learner.machines() == [], "the failed machine is gone")


def test_over_quota_names_what_runs_and_the_way_on(learner: Person) -> None:
    for title in ("A shell", "A Docker Engine"):
        learner.open_lesson(title)
        learner.at_the_prompt()
    learner.open_lesson("A prepared machine")
    learner.page.get_by_text(re.compile("You may run 2 machines at once")).wait_for()
    assert len(learner.machines()) == 2


def test_a_ten_megabyte_paste_arrives_whole(learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    text = "".join(f"line {number:07d} of a large paste\n" for number in range(350_000))
    learner.types("stty -echo; cat > big; stty echo; wc -c < big; md5sum big")
    learner.page.evaluate("text => navigator.clipboard.writeText(text)", text)
    learner.page.locator(".xterm-helper-textarea").first.focus()
    learner.page.keyboard.press("Control+V")
    learner.page.get_by_role("dialog").get_by_role("button", name=re.compile("Paste")).click()
    learner.page.locator(".lab-notice progress").wait_for()
    learner.until(lambda: learner.page.locator(".lab-notice progress").count() == 0, "the paste is through", 240)
    learner.page.keyboard.press("Control+D")
    learner.sees(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), 120)
