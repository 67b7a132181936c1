"""Waiting for something to come true, with a deadline that says what did not."""

import asyncio
import time
from collections.abc import Callable

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
