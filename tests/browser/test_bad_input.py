"""What a person, or an attacker, may throw at it: each gets a clear answer, and nothing is lost or leaked."""

import asyncio
import hashlib
import re
import uuid

import pytest
import websockets
from playwright.sync_api import BrowserContext, Page

from tests.browser.person import Person
from tests.ops.stack import Stack


def close_code(url: str, cookie: str = "", origin: str | None = None) -> int:
    """Open a WebSocket and return the code it is closed with; an HTTP status where the handshake is refused."""

    async def attempt() -> int:
        try:
            async with websockets.connect(url, additional_headers={"Cookie": cookie}, origin=origin) as socket:  # type: ignore[arg-type]
                while True:
                    await asyncio.wait_for(socket.recv(), 10)
        except websockets.ConnectionClosed as closed:
            return closed.code
        except websockets.InvalidStatus as refused:
            return refused.response.status_code

    return asyncio.run(attempt())


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


def test_a_terminal_is_its_owners_alone(student: Person, other: Person) -> None:
    student.open_lesson("A shell")
    student.at_the_prompt()
    url = terminal_of(student)
    origin = f"http://127.0.0.1:{student.site.installation.port}"
    assert close_code(url, origin=origin) == 4401
    assert close_code(url, cookies(other.page), origin) == 4403
    assert close_code(url, cookies(student.page), "https://evil.example") == 403
    assert close_code(re.sub(r"[^/]+$", str(uuid.uuid4()), url), cookies(student.page), origin) == 4404
    assert other.page.request.get(f"/labs/{student.lab()['id']}/").status == 404


def test_an_unknown_image_says_which_there_are(student: Person) -> None:
    student.open_lesson("A lab whose image nobody built")
    student.page.get_by_text(re.compile("no image named 'kubernetes'")).wait_for()
    assert student.machines() == []


def test_a_failing_setup_shows_what_it_printed_and_leaves_no_machine(student: Person) -> None:
    student.open_lesson("A lab whose set-up fails")
    student.page.get_by_text(re.compile("the disk fell out")).wait_for()
    student.until(lambda: student.machines() == [], "the failed machine is gone")


def test_over_quota_names_what_runs_and_the_way_on(student: Person) -> None:
    for title in ("A shell", "A Docker Engine"):
        student.open_lesson(title)
        student.at_the_prompt()
    student.open_lesson("A prepared machine")
    student.page.get_by_text(re.compile("You may run 2 machines at once")).wait_for()
    assert len(student.machines()) == 2


def test_a_ten_megabyte_paste_arrives_whole(student: Person) -> None:
    student.open_lesson("A shell")
    student.at_the_prompt()
    text = "".join(f"line {number:07d} of a large paste\n" for number in range(350_000))
    student.types("stty -echo; cat > big; stty echo; wc -c < big; md5sum big")
    student.page.evaluate("text => navigator.clipboard.writeText(text)", text)
    student.page.locator(".xterm-helper-textarea").first.focus()
    student.page.keyboard.press("Control+V")
    student.page.get_by_role("dialog").get_by_role("button", name=re.compile("Paste")).click()
    student.until(lambda: student.page.locator(".lab-notice progress").count() == 0, "the paste is through", 240)
    student.page.keyboard.press("Control+D")
    student.sees(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), 120)
