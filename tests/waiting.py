"""Waiting for something to come true, with a deadline that says what did not."""

import asyncio
import time
from collections.abc import Awaitable, Callable

POLL = 0.005  # s


def until(arrived: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """Return as soon as `arrived()` is true; fail with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not arrived():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(POLL)


async def soon(arrived: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """The same in a coroutine."""
    end = time.monotonic() + seconds
    while not arrived():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(POLL)


async def soon_true(arrived: Callable[[], Awaitable[bool]], what: str, seconds: float = 10.0) -> None:
    """The same where to ask is itself to wait."""
    end = time.monotonic() + seconds
    while not await arrived():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(POLL)


async def at_rest(measure: Callable[[], int]) -> None:
    """Wait until a figure has not changed for half a second."""
    last, since = measure(), time.monotonic()

    def still() -> bool:
        nonlocal last, since
        if (now := measure()) != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 0.5

    await soon(still, "it comes to rest", 20)
