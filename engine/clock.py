"""Jumps of the wall clock: rows hold wall time, so a clock that is set forward must not end what was in use a moment ago.

CLOCK_MONOTONIC never jumps, and stands still while the host sleeps: where the two have moved apart, the wall clock was set.
"""

import time
from datetime import timedelta
from pathlib import Path

from django.core.cache import cache
from django.db.models import F
from django.utils import timezone

from engine.models import Node, Sandbox

JUMP = 30.0  # s; less is a clock that is being brought right
AHEAD = timedelta(seconds=60)  # a row this far in the future was written before the clock was set back
KEPT = 30 * 24 * 3600  # s


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def jump(observer: str) -> timedelta | None:
    """How far the wall clock was set since this observer asked last on this host; None if it was not."""
    key, now = f"clock.{observer}.{_boot()}", offset()
    before = cache.get(key)
    cache.set(key, now, timeout=KEPT)
    if before is None or abs(now - before) < JUMP:
        return None
    return timedelta(seconds=now - before)


def offset() -> float:
    """How far the wall clock is ahead of the one that never jumps, in seconds: the same all the time, unless somebody sets it."""
    return time.time() - time.monotonic()


def move_sandboxes(node: Node, by: timedelta) -> None:
    """Move the times of the node's living sandboxes along with the clock: each keeps the time it had left."""
    rows = Sandbox.objects.filter(node=node, state__in=Sandbox.LIVE)
    names = ("created_at", "started_at", "last_activity_at", "ended_at")
    rows.update(**{name: F(name) + by for name in names}, warned="")


def move_others(by: timedelta, but: str) -> None:
    """Move what the other nodes and the pages of those who wait wrote: they are not silent because this node's clock was set."""
    Node.objects.exclude(name=but).update(heartbeat_at=F("heartbeat_at") + by)
    Sandbox.objects.filter(state=Sandbox.State.QUEUED).update(queued_at=F("queued_at") + by, last_activity_at=F("last_activity_at") + by)


def no_later_than_now(sandbox: Sandbox) -> None:
    """Bring times that lie in the future back to now: they would keep the sandbox for longer than it may run."""
    now = timezone.now()
    wrong = {}
    for name in ("started_at", "last_activity_at"):
        at = getattr(sandbox, name)
        if at is not None and at > now + AHEAD:
            wrong[name] = now
            setattr(sandbox, name, now)
    if wrong:
        Sandbox.objects.filter(id=sandbox.id).update(**wrong)


def due(what: str, every: float) -> bool:
    """Once every `every` seconds for whoever asks on this host, whatever the wall clock does (Redis expires keys by it)."""
    key, now = f"due.{what}.{_boot()}", time.monotonic()
    last = cache.get(key)
    if last is not None and now - last < every:
        return False
    cache.set(key, now, timeout=KEPT)
    return True
