"""What is typed arrives once, whatever happens to the connection."""

import struct

import pytest
from django.contrib.auth.models import User

from engine.gateway import frames
from engine.gateway.ledger import Ledger, ledger_of
from engine.models import Terminal
from tests.gateway.conftest import Open
from tests.waiting import soon

HERE = "one-browser"
pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]


async def test_the_gateway_tells_what_it_handed_over(opens: Open) -> None:
    async with opens(client=HERE) as browser:
        browser.type("echo $((20 + 22))\r")
        await browser.sees("42\r\n")
        await soon(lambda: browser.untaken == b"", "it is told")
    async with opens(client=HERE) as again:
        assert again.hello["input"] == len(browser.typed)
    async with opens(client="another-browser") as other:
        assert other.hello["input"] == 0


async def test_what_comes_twice_is_typed_once(opens: Open) -> None:
    async with opens(client=HERE) as browser:
        browser.type("echo one")
        browser.send(struct.pack(">BQ", frames.TYPED, 5) + b"one two\r")
        browser.send(struct.pack(">BQ", frames.TYPED, 0) + b"echo")
        await browser.sees("\x07one two\r\n")
        browser.typed += b" two\r"
        await soon(lambda: browser.taken == 13, "all of it is told of")


async def test_a_gap_is_a_bug_and_nothing_after_it_is_typed(opens: Open) -> None:
    async with opens(client=HERE) as browser:
        browser.send(struct.pack(">BQ", frames.TYPED, 3) + b"rm -rf x\r")
        await soon(lambda: browser.ended, "the gateway hangs up")
        assert browser.close_code == frames.BAD_FRAME
    async with opens(client=HERE) as again:
        assert again.hello["input"] == 0


async def test_connections_that_break_at_any_key_lose_none_and_type_none_twice(opens: Open) -> None:
    """Each time the next connection sends again what it was not told to be taken, as the page does."""
    text = "".join(f"{number:04d} " for number in range(400))
    typed, rest = 0, b""
    async with opens() as watching:
        await watching.sees("# ")
        watching.type("stty -echo -icanon min 1; cat\r")
        await watching.sees("cat\r\n")
        keys = text.encode()
        while typed < len(keys) or rest:
            browser = opens(client=HERE)
            async with browser:
                done = browser.hello["input"]
                browser.type(keys[done : typed + 37])
                typed = max(typed, min(len(keys), typed + 37))
                rest = keys[browser.hello["input"] : typed]
                if typed == len(keys):
                    await soon(lambda: browser.untaken == b"", "all is taken")  # noqa: B023
                    rest = b""
        await watching.sees(text)
        assert bytes(watching.output).count(b"0000") == 1


async def test_a_killed_gateway_knows_what_it_had_handed_over(opens: Open, terminal: Terminal, owner: User) -> None:
    async with opens(client=HERE) as browser:
        browser.type("true")
        await soon(lambda: browser.untaken == b"", "it is taken")
    path = ledger_of(terminal.id)
    account = Ledger(path).account(owner.pk, HERE)
    assert (account.taken, account.uncertain) == (4, 0)
    account.attempt(7)  # and killed
    async with opens(client=HERE) as again:
        assert again.hello["input"] == 7
        await soon(lambda: again.told("uncertain"), "it says that it does not know")
        assert "the last 3 characters" in again.told("uncertain")[0]
