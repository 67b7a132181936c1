"""The limits a running sandbox ran into since it was last looked at, whether it works, and why it died.

A look is a few small files of the kernel's; what was seen last is in the cache. If that is lost, the next look only begins anew: what was
told already is known by its id.
"""

import time
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from pydantic import TypeAdapter, ValidationError

from engine.models import Sandbox
from engine.runtime import cgroups, disk, kernel_log
from engine.runtime import sandbox as runtime
from engine.runtime.host import UIDS_PER_SLOT, Host, held_slot
from engine.runtime.kernel_log import OomKill
from engine.runtime.spec import GIB, MIB

log = structlog.get_logger(__name__)
BUSY = 0.05  # cores: an idle machine with a Docker Engine takes a tenth of that
TELL_AGAIN = 60.0  # s: a fork bomb runs into its limit all the time
FULL, ROOM_AGAIN = 0.01, 0.1  # of the disk left: full below the first, not full any more above the second
FULL_BYTES, FULL_FILES = 8 * MIB, 64  # left, whatever the size
NOTICES_KEPT = 10
SEEN_KEPT = 30 * 24 * 3600  # s
LARGER = "or ask your instructor for a larger limit."


@dataclass(frozen=True)
class Reading:
    """What the kernel says of a sandbox at one moment; monotonic in seconds."""

    monotonic: float
    counters: cgroups.Counters
    space: disk.Space | None
    output: float | None


@dataclass(frozen=True)
class Seen:
    """What is remembered of the last look."""

    reading: Reading
    log: int = -1  # the last record of the kernel's log that was told of
    pids_told: float | None = None
    disk_full: bool = False


_SEEN = TypeAdapter(Seen)


def _recall(sandbox: Sandbox) -> Seen | None:
    try:
        return _SEEN.validate_json(cache.get(f"seen.{sandbox.id.hex}") or "")
    except ValidationError:  # nothing there, or written by another version of this program
        return None


@dataclass(frozen=True)
class Look:
    """What a look found: notices to tell, and whether the machine worked since the look before."""

    notices: tuple[dict[str, Any], ...] = ()
    works: bool = False


def of(used: int, limit: int) -> str:
    """`940 of 1024 MiB`."""
    unit, name = (GIB, "GiB") if limit >= 8 * GIB else (MIB, "MiB")
    return f"{min(used, limit) / unit:.0f} of {limit / unit:.0f} {name}"


def notice(kind: str, number: int, title: str, text: str) -> dict[str, Any]:
    return {"id": f"{kind}-{number}", "at": timezone.now().isoformat(), "kind": kind, "title": title, "text": text}


def _memory_notice(number: int, kills: list[OomKill], limit: int) -> dict[str, Any]:
    title = "Your machine ran out of memory"
    if not kills:  # the kernel's log is not ours to read here, or has gone round since
        return notice("memory", number, title, f"A program was stopped. Your files are safe. Run it with less to do at once, {LARGER}")
    worst = max(kills, key=lambda kill: kill.memory)
    others = "" if len(kills) == 1 else f", and {len(kills) - 1} more with it"
    text = f"`{worst.name}` used {of(worst.memory, limit)} and was stopped{others}. Your files are safe. "
    if worst.memory < limit // 4:
        text += "Other programs hold the rest, and files in /tmp, /run and /dev/shm, which are memory. End or delete some, "
    else:
        text += "Start it again with less to do at once, "
    return notice("memory", number, title, text + LARGER)


def _pids_notice(count: int, limit: int) -> dict[str, Any]:
    text = f"All {limit} processes and threads it may have were in use, so a program could not start another. "
    return notice("processes", count, "Your machine reached its process limit", text + f"End some: `ps -eLf` lists them, {LARGER}")


def _disk_notice(at: float, space: disk.Space, limit: int) -> dict[str, Any]:
    if space.files_free < FULL_FILES:
        text = "It holds as many files as fit on it. Delete some: `du --inodes -x / | sort -n | tail` shows where most are."
    else:
        used = of(limit - space.free, limit)
        text = f"{used} are used, and programs cannot write until you delete something: `du -xh / | sort -h | tail` shows the largest."
    return notice("disk", int(at), "Your machine's disk is full", text)


def terminals_notice(numbers: list[int]) -> dict[str, Any]:
    """The terminals that had to be opened anew."""
    names = " and ".join(f"Terminal {number}" for number in numbers)
    text = "The program on the host that held it was ended, and what ran in it with it. Files and other programs are as they were."
    return notice("terminal", int(time.monotonic()), f"{names} has a fresh shell", text)


def terminal_refused(number: int) -> dict[str, Any]:
    """A terminal whose shell could not be started."""
    text = "No shell could be started in it. The machine may have no room for another process: end some, then try again."
    return notice("terminal", int(time.monotonic()), f"Terminal {number} did not open", text)


def _is_full(space: disk.Space, was_full: bool) -> bool:
    share = ROOM_AGAIN if was_full else FULL
    return space.free < max(share * space.size, FULL_BYTES) or space.files_free < FULL_FILES


def compare(before: Seen | None, now: Reading, kills: list[OomKill], sandbox: Sandbox) -> tuple[Seen, Look]:
    """What to tell, and what to remember. Pure: `kills` are what the log has of it that was not told of."""
    old = before.reading if before else None
    notices: list[dict[str, Any]] = []
    if now.counters.oom_kills > (old.counters.oom_kills if old else 0):
        number = kills[-1].sequence if kills else now.counters.oom_kills
        notices.append(_memory_notice(number, kills, sandbox.memory))
    told = before.pids_told if before else None
    hit = now.counters.pids_refused > (old.counters.pids_refused if old else 0)
    if hit and (told is None or now.monotonic - told >= TELL_AGAIN):
        notices.append(_pids_notice(now.counters.pids_refused, sandbox.pids))
        told = now.monotonic
    was_full = before.disk_full if before else False
    full = was_full if now.space is None else _is_full(now.space, was_full)
    if full and not was_full and now.space is not None:
        notices.append(_disk_notice(now.monotonic, now.space, sandbox.disk))
    works = False
    if old and now.monotonic > old.monotonic:
        share = (now.counters.cpu - old.counters.cpu) / (now.monotonic - old.monotonic)
        works = share > BUSY or now.output != old.output
    last = max([kill.sequence for kill in kills], default=before.log if before else -1)
    return Seen(reading=now, log=last, pids_told=told, disk_full=full), Look(tuple(notices), works)


def look(host: Host, sandbox: Sandbox) -> Look:
    """Look at a living sandbox. One that is being removed meanwhile shows nothing."""
    before = _recall(sandbox)
    try:
        pid = runtime.init_pid(host, sandbox.id.hex)
        now = Reading(
            monotonic=time.monotonic(),
            counters=cgroups.counters(f"{host.cgroup}/{sandbox.id.hex}"),
            space=disk.space(pid, sandbox.disk),
            output=runtime.last_output(host, sandbox.id.hex),
        )
    except (OSError, ValueError):  # a file of a group that goes at this moment answers ENODEV
        return Look()
    killed = now.counters.oom_kills > (before.reading.counters.oom_kills if before else 0)
    kills = _kills(host, sandbox, before) if killed else []
    seen, found = compare(before, now, kills, sandbox)
    cache.set(f"seen.{sandbox.id.hex}", _SEEN.dump_json(seen).decode(), timeout=SEEN_KEPT)
    return found


def _kills(host: Host, sandbox: Sandbox, before: Seen | None) -> list[OomKill]:
    slot = held_slot(host, sandbox.id.hex)
    uids = range(slot.uid, slot.uid + UIDS_PER_SLOT) if slot else range(0)
    try:
        return kernel_log.oom_kills(sandbox.id.hex, uids, before.log if before else -1)
    except OSError as error:
        log.warning("kernel_log.unreadable", error=str(error))
        return []


def tell(sandbox: Sandbox, notices: tuple[dict[str, Any], ...]) -> bool:
    """Add notices to the row; False if all were there already."""
    with transaction.atomic():
        known = Sandbox.objects.select_for_update().values_list("notices", flat=True).get(id=sandbox.id)
        new = [item for item in notices if item["id"] not in {old["id"] for old in known}]
        if new:
            sandbox.notices = [*known, *new][-NOTICES_KEPT:]
            Sandbox.objects.filter(id=sandbox.id).update(notices=sandbox.notices)
    return bool(new)


def why_it_died(host: Host, sandbox: Sandbox) -> tuple[str, str]:
    """Reason and detail of the end of a sandbox whose PID 1 does not live any more."""
    path = f"{host.cgroup}/{sandbox.id.hex}"
    if not host.directory(sandbox.id.hex).is_dir():
        return Sandbox.Reason.FAILED, "It is no longer on its host. Start it again to get a fresh one."
    if not cgroups.there(path):  # nobody but the host itself takes a group away under a sandbox
        return Sandbox.Reason.NODE_LOST, "The computer it ran on was restarted, and what was in the machine is gone. Start a fresh one."
    before = _recall(sandbox)
    try:
        killed = cgroups.counters(path).oom_kills > (before.reading.counters.oom_kills if before else 0)
        peak = cgroups.memory_peak(path)
        kills = _kills(host, sandbox, before if killed else None)
        # The last look may have fallen between the kill and the death, and have counted it already.
        killed = killed or runtime.init_pid(host, sandbox.id.hex) in {kill.pid for kill in kills}
    except FileNotFoundError:
        killed, peak, kills = False, None, []
    if killed:
        return Sandbox.Reason.OUT_OF_MEMORY, _fatal(kills, sandbox.memory)
    held = f"Memory was not short: it held {of(peak, sandbox.memory)} at most. " if peak is not None else ""
    return Sandbox.Reason.FAILED, f"Its first process ended, which stops a machine. {held}Start it again to get a fresh one."


def _fatal(kills: list[OomKill], limit: int) -> str:
    worst = max(kills, key=lambda kill: kill.memory, default=None)
    if worst is not None and worst.memory >= limit // 4:
        cause = f"`{worst.name}` used {of(worst.memory, limit)} and was stopped, and the machine's first process with it."
    else:
        cause = (
            f"Its programs, and files in /tmp, /run and /dev/shm, which are memory too, filled its {limit // MIB} MiB, "
            "so its first process was stopped."
        )
    return f"{cause} What was in the machine is gone. Start a fresh one with less to do at once, {LARGER}"
