"""A port of the machine in the browser: beside the lesson, in a tab, for somebody with a link, and for nobody else."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.browser.person import Person
from tests.ops.stack import Stack


@pytest.fixture
def elsewhere(site: Stack, chromium: Browser) -> Iterator[Callable[[], Page]]:
    """Pages of other browsers, where nobody is signed in."""
    opened = []

    def one() -> Page:
        context = chromium.new_context(base_url=f"http://127.0.0.1:{site.installation.port}")
        context.set_default_timeout(20_000)
        opened.append(context)
        return context.new_page()

    yield one
    for context in opened:
        context.close()


def _is_open(shop: Page | FrameLocator) -> None:
    expect(shop.get_by_role("heading", name="The shop is open")).to_be_visible()
    expect(shop.locator("#socket")).to_have_text("echo me")
    expect(shop.locator("#events")).to_have_text("123")
    # None of the site's: not for the page's script, and not for its server. What it plants for the parent domain stays with its own host.
    expect(shop.locator("#cookies")).to_have_text(re.compile("^(none|planted=1)$"))
    expect(shop.locator("output").nth(1)).to_have_text(re.compile("^(none|planted=1)$"))


def test_it_works(learner: Person, elsewhere: Callable[[], Page]) -> None:
    """The lesson's link before the server runs, the server, the menu, a tab, and a link for a friend."""
    page = learner.page
    learner.open_lesson("A server")
    learner.at_the_prompt()
    page.get_by_role("link", name="port 8080").click()
    beside = page.frame_locator("iframe[title=Shop]")
    expect(beside.get_by_role("heading", name="Nothing listens on port 8080")).to_be_visible()
    page.get_by_role("button", name="Run: python3 server.py").click()
    expect(page.locator(".lab-ports .count")).to_have_text("1")
    page.get_by_role("button", name="Ports").click()
    page.get_by_role("button", name="Open port 8080 beside the lesson").click()
    _is_open(beside)  # it was reloaded by itself

    with page.context.expect_page() as opening:
        page.get_by_role("link", name="Open port 8080 in a tab").click()
    tab = opening.value
    _is_open(tab)
    names = {cookie["name"]: cookie["domain"] for cookie in page.context.cookies()}
    assert names["playground-session"] == "127.0.0.1"
    assert names["planted"] == tab.url.split("/")[2].partition(":")[0]

    nobody = elsewhere()
    nobody.goto(tab.url)
    expect(nobody.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    other = Person(elsewhere(), learner.site, f"other-{learner.name}")
    other.sign_up()
    assert other.page.goto(tab.url).status == 403  # type: ignore[union-attr]
    expect(other.page.get_by_role("heading", name="This machine is not yours")).to_be_visible()

    page.get_by_role("button", name="Share").click()
    link = page.get_by_role("textbox", name="Link").input_value()
    friend = elsewhere()
    friend.goto(link)
    _is_open(friend)
    page.get_by_role("button", name="Take back all links").click()
    expect(page.get_by_role("button", name="All links are taken back")).to_be_visible()
    friend.reload()
    expect(friend.get_by_role("heading", name="This link is over")).to_be_visible()
    _is_open(tab)


def test_what_listens_inside_alone_says_how_to_open_it(learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.page.get_by_role("button", name="Ports").click()
    menu = learner.page.locator(".ports-menu")
    expect(menu).to_contain_text("Nothing listens in this machine yet")
    learner.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    learner.types("python3 -m http.server --bind 127.0.0.1 9000 &")
    learner.page.get_by_role("button", name="Ports").click()
    expect(menu).to_contain_text("9000")
    expect(menu).to_contain_text("Start it on 0.0.0.0 to open it here")
    expect(menu.get_by_role("button")).to_have_count(0)
