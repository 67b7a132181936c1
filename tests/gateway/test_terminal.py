"""The gateway at a real terminal of a real sandbox: only the network between it and the browser is left out."""

import asyncio
import hashlib
import os
import signal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User

from engine.gateway import app, frames
from engine.gateway.feed import TerminalFeed
from engine.gateway.room import rooms
from engine.models import Sandbox, Terminal
from engine.runtime import sandbox as runtime
from engine.runtime.host import Host
from tests.conftest import Run
from tests.gateway.browser import Browser
from tests.gateway.conftest import Open
from tests.waiting import at_rest, soon, soon_true

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]
MEGABYTE = 1 << 20


def _feed() -> TerminalFeed:
    """Of the one terminal that is open."""
    (room,) = rooms.values()
    return room.feed


async def test_it_works(opens: Open, terminal: Terminal) -> None:
    async with opens() as browser:
        assert browser.accepted
        around = {"columns": 80, "rows": 24, "role": "owner", "write": True, "tabs": 1, "watchers": []}
        assert browser.hello == {"version": 2, "start": 0, "end": browser.hello["end"], "input": 0} | around
        await browser.sees("root@lab")
        browser.type("echo $((20 + 22))\r")
        await browser.sees("42\r\n")
        browser.resize(132, 50)
        browser.type("clear; stty size\r")
        await browser.sees("50 132\r\n")
    assert terminal.id not in rooms, "the last one to leave closes the connection to conmon"


async def test_the_window_size_is_told_to_who_comes_later(opens: Open) -> None:
    async with opens() as first:
        first.resize(132, 50)
        await soon(lambda: _feed().last_size == (132, 50), "the gateway has taken the size")
        async with opens() as second:
            assert (second.hello["columns"], second.hello["rows"]) == (132, 50)


async def test_a_reload_shows_the_same_shell_with_its_scrollback(opens: Open) -> None:
    async with opens() as before:
        before.type("here=kept; echo $$\r")
        await before.sees("\r\n")
    async with opens() as after:
        await after.sees(bytes(before.output))
        assert after.first == 0
        after.type("echo $here and $here\r")
        await after.sees("kept and kept\r\n")


async def test_several_reconnects_in_a_flood_lose_and_repeat_no_byte(opens: Open) -> None:
    """Each browser resumes at what had been drawn when the one before lost its connection: less than had been sent to it."""
    together = b""
    async with opens() as first:
        await first.sees("# ")
        first.type("stty -onlcr; seq 150000 | tail -c 1048576; echo the-'end'\r")
        await soon(lambda: len(first.output) > 100_000, "the flood has begun")
    together = bytes(first.output)[:50_000]
    for drawn in (70_000, 1, 200_000, 12_345):
        async with opens(len(together)) as browser:
            await soon(lambda: len(browser.output) >= drawn, "more of the flood")  # noqa: B023
        assert browser.first == len(together)
        together += bytes(browser.output)[:drawn]
    async with opens(len(together)) as last:
        await last.sees("\nthe-end\n")
    together += bytes(last.output)
    expected = b"".join(b"%d\n" % number for number in range(1, 150_001))[-MEGABYTE:]
    assert together.count(expected) == 1


@pytest.mark.parametrize("offset", [10**9, 2**63])
async def test_an_offset_that_is_not_kept_starts_afresh(opens: Open, offset: int) -> None:
    async with opens(offset) as browser:
        await browser.sees("# ")
        assert browser.first == browser.hello["start"] == 0


async def test_the_window_closes_without_acknowledgements_and_opens_with_one(opens: Open) -> None:
    async with opens(acknowledges=False) as browser:
        await browser.sees("# ")
        browser.type("seq 400000; echo the-'end'\r")
        await soon(lambda: len(browser.output) >= app.WINDOW, "the window is full")
        held = len(browser.output)
        assert held < app.WINDOW + 300_000, "one read of the log beyond the window at most"
        await at_rest(lambda: len(browser.output))
        assert len(browser.output) == held, "nothing is sent while the window is closed"
        assert b"the-end" not in browser.output
        browser.acknowledges = True
        browser.acknowledge()
        await browser.sees("\nthe-end\r\n")


async def test_a_held_terminal_stops_its_program_rather_than_filling_memory(opens: Open, run: Run, terminal: Terminal) -> None:
    """The whole chain waits: gateway, conmon, PTY, and last the program itself."""
    async with opens(acknowledges=False) as browser:
        await browser.sees("# ")
        browser.type("yes | head -c 60000000; echo the-'end'\r")
        await soon(lambda: len(browser.output) >= app.WINDOW, "the window is full")

        log = _feed().log
        await at_rest(lambda: log.stat().st_size)
        assert b"the-end" not in log.read_bytes(), "at rest, and not done"
        browser.type("\x03")
        browser.acknowledges = True
        browser.acknowledge()
        browser.type("echo $((20 + 22))\r")
        await browser.sees("42\r\n")
        assert b"the-end" not in browser.output.rpartition(b"^C")[2]


async def test_a_stalled_browser_does_not_hold_up_another(opens: Open) -> None:
    async with opens(acknowledges=False) as stalled, opens() as lively:
        await lively.sees("# ")
        lively.type("seq 400000; echo the-'end'\r")
        await lively.sees("\nthe-end\r\n", 30)
        assert len(stalled.output) < len(lively.output) - MEGABYTE
        lively.type("echo $((20 + 22))\r")
        await lively.sees("42\r\n")
        stalled.acknowledges = True
        stalled.acknowledge()
        await stalled.sees("\nthe-end\r\n", 30)
        await stalled.sees("42\r\n")
        assert stalled.output == lively.output


async def test_ten_megabytes_pasted_into_a_file_arrive_whole(opens: Open, run: Run, terminal: Terminal) -> None:
    line = b"0123456789abcdef" * 4 + b"\n"
    pasted = line * (10_000_000 // len(line))
    async with opens(client="one-browser") as browser:
        await browser.sees("# ")
        browser.type("stty -echo; cat > /root/pasted; echo the-'end'\r")
        await _running(run, terminal, "cat")
        await browser.paste(pasted)
        browser.type("\x04")
        await browser.sees("the-end", 60)
    summed = await asyncio.to_thread(run, terminal.sandbox_id.hex, "md5sum", "/root/pasted")
    assert summed.stdout.decode().split()[0] == hashlib.md5(pasted).hexdigest()


async def test_ten_megabytes_pasted_at_a_program_that_does_not_read_wait_for_one_that_does(
    opens: Open, host: Host, run: Run, terminal: Terminal, owner: User
) -> None:
    """As in any Linux terminal, Ctrl-C waits behind them. The gateway, this terminal's output and other terminals go on meanwhile."""
    await asyncio.to_thread(runtime.open_terminal, host, terminal.sandbox_id.hex, 2)
    second = await sync_to_async(Terminal.objects.create)(sandbox_id=terminal.sandbox_id, number=2)
    pasted = b"0123456789abcde\n" * (10_000_000 // 16)
    async with opens(client="one-browser") as browser, Browser(second.id, owner) as other:
        await browser.sees("# ")
        browser.type("stty -echo; sh -c 'tail -f /dev/null; exec md5sum'\r")
        await _running(run, terminal, "tail")
        pasting = asyncio.create_task(browser.paste(pasted))
        other.type("echo $((20 + 22)); pkill -x tail\r")
        await other.sees("42\r\n")
        await pasting
        browser.type("\x04")
        await browser.sees(hashlib.md5(pasted).hexdigest(), 60)


async def test_more_input_than_is_kept_is_refused(opens: Open, run: Run, terminal: Terminal) -> None:
    async with opens() as browser:
        await browser.sees("# ")
        browser.type("tail -f /dev/null\r")
        await _running(run, terminal, "tail")
        for _ in range(app.PENDING_MAX // 65_536 + 10):
            browser.type(b"0123456789abcde\n" * 4096)
        await soon(lambda: browser.ended, "the gateway hangs up")
        assert browser.close_code == frames.TOO_MUCH
    async with opens() as again:
        await again.sees("tail -f /dev/null")


async def test_leaving_in_the_middle_of_a_paste_ends_the_connection(opens: Open) -> None:
    """Many times, as the end must not be lost in whatever the gateway waits for at that moment."""
    for _ in range(15):
        async with opens() as browser:
            await browser.sees("# ")
            for _ in range(4):
                browser.type(b"true 456789abcde\n" * 4096)
            await browser.sees("true 456789abcde")
    assert rooms == {}


async def _running(run: Run, terminal: Terminal, program: str) -> None:
    def there() -> bool:
        return run(terminal.sandbox_id.hex, "pgrep", "-x", program).returncode == 0

    for _ in range(50):
        if await asyncio.to_thread(there):
            return
    raise AssertionError(f"{program} does not run")


async def test_a_log_that_conmon_begins_anew_is_followed_without_a_seam(opens: Open, terminal: Terminal) -> None:
    async with opens() as browser:
        await browser.sees("# ")
        first = _feed().log.stat().st_ino
        browser.type("stty -onlcr -echo; seq -f %0999.0f 38000; echo the-'end'\r")
        await soon(lambda: b"the-end" in browser.output[-2000:] or browser.ended, "the end of 38 MB", 60)
        assert _feed().log.stat().st_ino != first, "conmon has begun a new file"
        expected = b"".join(b"%0999d\n" % number for number in range(1, 38_001))
        assert bytes(browser.output).count(expected) == 1
        resumed_at = browser.next_offset
        browser.type("echo $((20 + 22))\r")
        await browser.sees("42\n")
    async with opens(resumed_at) as later:
        await later.sees("42\n")
        assert 0 < later.hello["start"] < resumed_at
        assert later.first == resumed_at


async def test_the_exit_of_the_shell_is_told_with_its_status(opens: Open) -> None:
    async with opens() as browser:
        await browser.sees("# ")
        browser.type("echo by''e; exit 7\r")
        await soon(lambda: browser.exit is not None, "the exit frame")
        assert browser.exit == 7
        assert b"bye\r\n" in browser.output, "all output comes before it"
        await soon(lambda: browser.ended, "the gateway hangs up")
        assert browser.close_code == 1000
    async with opens() as later:
        await soon(lambda: later.exit is not None, "who comes later is told as well")
        assert later.exit == 7
        assert b"bye\r\n" in later.output


async def test_a_status_that_conmon_is_still_writing_is_waited_for(opens: Open, terminal: Terminal) -> None:
    """conmon writes to `<id>.XXXXXX` and renames it, so that name may go between being listed and being opened."""
    async with opens() as browser:
        await browser.sees("# ")
        directory = _feed().directory
        (directory / "exit" / f"{terminal.sandbox_id.hex}.AAAAAA").symlink_to("renamed")
        browser.type("exit 7\r")
        await soon(lambda: browser.exit is not None, "the exit frame")
        assert browser.exit == 7


async def test_a_sandbox_destroyed_in_mid_stream_hangs_up(opens: Open, host: Host, terminal: Terminal) -> None:
    async with opens() as browser:
        await browser.sees("# ")
        browser.type("while :; do echo on and on; done\r")
        await browser.sees("\non and on\r\n")
        await asyncio.to_thread(runtime.destroy, host, terminal.sandbox_id.hex)
        await soon(lambda: browser.ended, "the gateway hangs up")
        assert browser.exit is not None or browser.close_code == frames.TRY_AGAIN
    assert terminal.id not in rooms


async def test_a_killed_sandbox_tells_its_terminals(opens: Open, host: Host, terminal: Terminal) -> None:
    async with opens() as browser:
        await browser.sees("# ")
        pid = runtime.inspect(host, terminal.sandbox_id.hex).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await soon(lambda: browser.ended, "the gateway hangs up")
        assert browser.exit == 137 or browser.close_code == frames.TRY_AGAIN


async def test_activity_is_noted(opens: Open, terminal: Terminal) -> None:
    before = terminal.sandbox.last_activity_at
    async with opens() as browser:
        await browser.sees("# ")
        browser.type("\r")
        row = sync_to_async(Sandbox.objects.get)

        async def later() -> bool:
            return (await row(id=terminal.sandbox_id)).last_activity_at > before

        await soon_true(later, "the row says so")


@pytest.mark.parametrize("offset", ["\u00b2", "9" * 5000, "-1", "x"])
async def test_an_offset_that_is_no_number_counts_as_none(opens: Open, offset: Any) -> None:
    async with opens(offset) as browser:
        await browser.sees("# ")
        assert browser.first == browser.hello["start"]


@pytest.mark.parametrize("frame", [b"", b"\x09", b"\x01\x00", b"\x01\x00\x00\x00\x00", b"\x02\x01"])
async def test_what_is_no_frame_is_refused_and_hurts_nobody(opens: Open, frame: bytes) -> None:
    async with opens() as good, opens() as bad:
        bad.send(frame)
        await soon(lambda: bad.ended, "the gateway hangs up on it")
        assert bad.close_code == frames.BAD_FRAME
        await good.sees("# ")
        good.type("echo $((20 + 22))\r")
        await good.sees("42\r\n")


async def test_only_its_owner_gets_in(terminal: Terminal, owner: User) -> None:
    stranger = await sync_to_async(User.objects.create_user)("eve")
    admin = await sync_to_async(User.objects.create_superuser)("root")
    helper = await sync_to_async(User.objects.create_user)("grace", is_staff=True)
    assert admin.has_perm("engine.watch_terminal"), "an admin may watch: tests/gateway/test_company.py"
    for user, code in ((stranger, 4403), (helper, 4403), (AnonymousUser(), 4401)):
        async with Browser(terminal.id, user) as browser:
            assert (browser.close_code, browser.hello) == (code, {})
    async with Browser(uuid4(), owner) as browser:
        assert browser.close_code == 4404
    async with Browser(uuid4(), AnonymousUser()) as browser:
        assert browser.close_code == 4401, "a stranger does not learn which terminals there are"


@pytest.mark.parametrize("state", ["creating", "ready", "stopping", "stopped", "failed"])
async def test_a_sandbox_that_does_not_run_has_no_terminals(terminal: Terminal, owner: User, state: str) -> None:
    await sync_to_async(Sandbox.objects.filter(id=terminal.sandbox_id).update)(state=state)
    async with Browser(terminal.id, owner) as browser:
        assert (browser.close_code, browser.hello) == (4410, {})
