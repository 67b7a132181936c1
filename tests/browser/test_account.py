"""A person looks after their account: an authenticator app, a passkey, a copy of their data, the end."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, expect

from tests.browser.person import PASSWORD, Person
from tests.ops.stack import Stack


@pytest.fixture
def owner(site: Stack, chromium: Browser) -> Iterator[Person]:
    """Somebody new, at the address for which browsers make passkeys without TLS, with a device that can keep one."""
    window = chromium.new_context(base_url=f"http://localhost:{site.installation.port}", viewport={"width": 1440, "height": 900})
    window.set_default_timeout(20_000)
    page = window.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None)
    devices = window.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": {**device, "automaticPresenceSimulation": True}})
    person = Person(page, site, f"owner-{time.time_ns()}")
    person.sign_up()
    yield person
    window.close()
    assert problems == []


def sign_out(person: Person) -> None:
    person.page.goto("/accounts/logout/")
    person.page.locator("main").get_by_role("button", name="Sign out").click()
    expect(person.page.get_by_role("link", name="Sign in").first).to_be_visible()


def code(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238)."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def test_an_authenticator_app(owner: Person) -> None:
    """It is set up with a code; then signing in asks for one; a recovery code will do, once."""
    page = owner.page
    page.goto("/accounts/")
    page.get_by_role("link", name="Set up an app").click()
    owner.confirm_password()
    secret = page.locator(".secret code").inner_text()
    page.get_by_label("Authenticator code").fill("000000")
    page.get_by_role("button", name="Switch it on").click()
    expect(page.locator(".errors")).to_contain_text("Incorrect code")
    page.get_by_label("Authenticator code").fill(code(secret))
    page.get_by_role("button", name="Switch it on").click()
    expect(page.locator(".codes li")).to_have_count(10)
    recovery = page.locator(".codes li").first.inner_text()
    page.goto("/accounts/")
    expect(page.locator(".settings")).to_contain_text(["Authenticator app On"])

    sign_out(owner)
    page.goto("/accounts/login/")
    page.get_by_label("Username or email").fill(owner.name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.get_by_label("Code").fill(recovery)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto("/accounts/")
    expect(page.locator("main")).to_contain_text("9 codes left")


def test_a_passkey_signs_in_alone(owner: Person) -> None:
    page = owner.page
    page.goto("/accounts/")
    page.get_by_role("link", name="Add a passkey").click()
    owner.confirm_password()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("main")).to_contain_text(re.compile("My laptop|Recovery codes"))
    page.goto("/accounts/2fa/webauthn/")
    expect(page.locator(".settings")).to_contain_text("My laptop Signs in alone")
    sign_out(owner)
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("details.menu summary")).to_contain_text(owner.name)


def test_at_an_address_without_passkeys_the_page_says_so(owner: Person, site: Stack) -> None:
    page = owner.page
    page.goto(f"http://127.0.0.1:{site.installation.port}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("They need https, or localhost.")


def test_a_copy_then_the_end(owner: Person, tmp_path: Path) -> None:
    page = owner.page
    owner.open_lesson("A shell")
    owner.at_the_prompt()
    page.goto("/accounts/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download my data").click()
    download.value.save_as(tmp_path / "copy.json")
    copy = json.loads((tmp_path / "copy.json").read_text())
    assert (copy["profile"]["username"], copy["machines"][0]["state"]) == (owner.name, "running")
    page.get_by_role("link", name="Delete my account").click()
    owner.confirm_password()
    expect(page.locator("main")).to_contain_text("1 running machine, with the files in it")
    page.get_by_label("Your username, to be sure").fill("somebody")
    page.get_by_role("button", name="Delete my account").click()
    expect(page.locator(".errors")).to_contain_text("This is not your username")
    page.get_by_label("Your username, to be sure").fill(owner.name)
    page.get_by_role("button", name="Delete my account").click()
    expect(page.locator(".message.success")).to_contain_text("Your account is deleted.")
    gone = lambda: all(row["owner"] for row in machines_of(owner.site, copy["machines"][0]["label"]))  # noqa: E731
    owner.until(gone, "the machine is gone", 30)


def machines_of(site: Stack, label: str) -> list[dict[str, str]]:
    """The machines of a lesson; those whose owner's account was deleted have none."""
    return [row for row in json.loads(site.manage("sandbox", "list", "--json")) if row["label"] == label]
