"""The whole site behind a bad network, killed in the middle of things, and with browsers that stop reading."""

import asyncio
import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from tests.bench.site import ACCOUNTS, PASSWORD
from tests.bench.visitor import Visitor
from tests.gateway.page import Page
from tests.gateway.proxy import Proxy
from tests.ops.stack import Stack
from tests.waiting import soon

pytestmark = [pytest.mark.stack, pytest.mark.timeout(200)]
LESSON = "docker/about/your-first-machine"
MIB = 1 << 20


@pytest.fixture(scope="module")
def site() -> Iterator[Stack]:
    stack = Stack("stream")
    shutil.rmtree(stack.installation.state, ignore_errors=True)
    stack.installation.claim()
    for built in ("images", "registry"):
        (stack.installation.state / built).symlink_to(stack.installation.state.parent.parent / built)
    stack.prepare()
    stack.start()
    yield stack
    assert stack.stop() == 0, stack.said()


@pytest.fixture(scope="module")
def visitor(site: Stack) -> Visitor:
    site.manage("shell", "--no-imports", "-c", ACCOUNTS.format(count=1, password=PASSWORD))
    return Visitor(site.installation.port, "visitor0", PASSWORD)


Open = Callable[..., Page]


@pytest.fixture
def opens(site: Stack, visitor: Visitor) -> Iterator[Open]:
    """A page at the one terminal of a fresh machine."""
    _, lab = visitor.click(LESSON)

    def one(port: int | None = None) -> Page:
        here = site.installation.port
        return Page(here, port or here, lab["terminals"][0]["path"], visitor.socket_headers())

    yield one
    visitor.connection.close()  # it may have been idle for too long; the next request opens it again
    visitor.stop(lab)


def numbers(last: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(1, last + 1))


async def test_typing_through_a_bad_network_arrives_once(site: Stack, opens: Open) -> None:
    text = numbers(60_000)
    # A connection lives long enough for one frame of what has to go again, or nothing would ever get through.
    async with Proxy(site.installation.port, seed=1, life=50_000).running() as network, opens() as watching:
        await watching.sees(b"# ")
        await watching.type(b"stty raw -echo; head -c %d | md5sum; stty sane\r" % len(text))
        await watching.sees(b"stty sane")
        async with opens(network.port) as page:
            for start in range(0, len(text), 700):
                await page.type(text[start : start + 700])
                await asyncio.sleep(0.001)
            await watching.sees(hashlib.md5(text).hexdigest().encode(), 90)
            assert page.connections > 5, "the network was bad"
            assert network.late > 0, "and delivered late"


async def test_a_flood_through_a_bad_network_comes_whole(site: Stack, opens: Open) -> None:
    async with Proxy(site.installation.port, seed=2, life=400_000).running() as network, opens(network.port) as page:
        await page.sees(b"# ")
        await page.type(b"stty -onlcr; seq 300000; echo the-'end'\r")
        await page.sees(b"\nthe-end\n", 90)
        assert bytes(page.output).count(numbers(300_000)) == 1
        assert page.connections > 5
        assert page.fresh_starts == 0


async def test_a_web_process_killed_in_mid_flood_and_mid_typing_loses_nothing(site: Stack, opens: Open) -> None:
    async def kill_web() -> None:
        old = site.pid("web")
        os.kill(old, signal.SIGKILL)
        await asyncio.to_thread(site.until, lambda: site.pid("web") not in (0, old), "it is started again", 60)

    async with opens() as page:
        await page.sees(b"# ")
        await page.type(b"stty -onlcr; for i in 1 2 3 4 5 6; do seq 100000; sleep 0.2; done; echo the-'end'\r")
        await soon(lambda: len(page.output) > 700_000, "the flood has begun")
        await kill_web()
        await page.sees(b"\nthe-end\n", 60)
        assert bytes(page.output).count(numbers(100_000) * 6) == 1
        text = numbers(60_000)
        await page.type(b"stty raw -echo; head -c %d | md5sum; stty sane\r" % len(text))
        await page.sees(b"stty sane")
        killing = asyncio.create_task(kill_web())
        for start in range(0, len(text), 500):
            await page.type(text[start : start + 500])
            await asyncio.sleep(0)
        await killing
        await page.sees(hashlib.md5(text).hexdigest().encode(), 60)
        assert page.connections == 3
        assert page.fresh_starts == 0
        # All of it has arrived, and once. Where the process was killed within the very call that passed keys on, the next one cannot know.
        assert [notice["kind"] for notice in page.told if notice["kind"] == "uncertain"] in ([], ["uncertain"])


async def test_a_sleeping_browser_costs_little_and_holds_up_nobody(site: Stack, opens: Open) -> None:
    """Ten laptops were closed with the terminal open; another goes on working. One is opened again."""
    sleepers: list[Any] = []
    async with opens() as awake:
        await awake.sees(b"# ")
        for _ in range(10):
            sleepers.append(await opens().__aenter__())
        await soon(lambda: all(page.connections for page in sleepers), "they are there")
        for page in sleepers:
            page.reads.clear()
        await awake.type(b"stty -onlcr; seq 6500000 | tail -c 50000000 > /root/flood; echo re-'ady'\r")
        await awake.sees(b"re-ady\n")
        web = psutil.Process(site.pid("web"))
        await awake.type(b"cat /root/flood; echo the-'end'\r")
        before, begun, most = web.memory_info().rss, asyncio.get_running_loop().time(), 0
        while b"the-end\n" not in awake.output[-4096:]:
            assert asyncio.get_running_loop().time() - begun < 60
            most = max(most, web.memory_info().rss)
            await asyncio.sleep(0.02)
        assert len(awake.output) > 50_000_000
        assert awake.fresh_starts == 0, "who reads is sent every byte"
        assert most - before < 11 * MIB, f"{(most - before) / MIB:.1f} MiB for ten who sleep and one who reads"
        sleepers[0].reads.set()
        await sleepers[0].sees(b"\nthe-end\n")
        assert sleepers[0].fresh_starts <= 1
        await sleepers[0].type(b"echo $((20 + 22))\r")
        await sleepers[0].sees(b"42\n")
        assert bytes(awake.output[-1_000_000:-100]) in bytes(sleepers[0].output)
        for page in sleepers:
            await page.__aexit__()
