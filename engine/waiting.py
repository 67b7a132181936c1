"""The line for a machine while every node is full: first come, first served, but who has none goes before who has one."""

import uuid
from datetime import timedelta
from typing import Any, TypedDict

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from engine import audit, placement
from engine.dispatch import send
from engine.errors import SiteFull
from engine.events import announce
from engine.models import Sandbox, SavedMachine

MOST_WAITING = 200
ABSENT_AFTER = timedelta(minutes=2)
SEEN_EVERY = 30.0  # s: how often a page says that it is still there


class Place(TypedDict):
    position: int
    length: int


def line() -> "QuerySet[Sandbox, Sandbox]":
    """Those who wait, the next one first."""
    machines = Sandbox.objects.filter(owner=OuterRef("owner"), state__in=Sandbox.LIVE).exclude(state=Sandbox.State.QUEUED)
    waiting = Sandbox.objects.filter(state=Sandbox.State.QUEUED).select_related("owner").defer("files", "setup")
    return waiting.annotate(busy=Exists(machines)).order_by("busy", "queued_at", "id")


def anyone() -> bool:
    return Sandbox.objects.filter(state=Sandbox.State.QUEUED).exists()


def place_of(sandbox: Sandbox) -> Place | None:
    """Where it stands in the line; None where it does not wait."""
    if sandbox.state != Sandbox.State.QUEUED:
        return None
    ids = list(line().values_list("id", flat=True))
    # It may have left between the two looks: then the page hears of that in a moment.
    return {"position": ids.index(sandbox.id) + 1 if sandbox.id in ids else 1, "length": max(1, len(ids))}


def refuse_if_too_long() -> None:
    """Raises SiteFull."""
    if Sandbox.objects.filter(state=Sandbox.State.QUEUED).count() >= MOST_WAITING:
        text = _("All machines of this site are taken, and %(count)s people wait for one already. Try again in half an hour.")
        raise SiteFull(text % {"count": MOST_WAITING})


def seen(sandbox_ids: "list[uuid.UUID]") -> None:
    """Their pages are there: they keep their places."""
    Sandbox.objects.filter(id__in=sandbox_ids, state=Sandbox.State.QUEUED).update(last_activity_at=timezone.now())


def absent() -> list[Sandbox]:
    """Those whose page has been gone for too long."""
    return list(line().filter(last_activity_at__lt=timezone.now() - ABSENT_AFTER))


def admit() -> None:
    """Give a node to as many as there is room for, in the order of the line.

    Who does not fit yet holds up those behind: otherwise small machines would pass a large one for ever. Who could not fit even on an empty
    node, because an admin made the nodes smaller, holds up nobody.
    """
    if not anyone():
        return
    with transaction.atomic():
        rooms = placement.rooms(lock=True)
        passed: list[uuid.UUID] = []
        admitted = 0
        # Asked anew each time: whoever was just given a machine now stands behind those who have none.
        while (sandbox := line().exclude(id__in=passed).first()) is not None:
            reachable = _where_its_disk_is(sandbox, rooms)
            room = placement.choose(reachable, sandbox.image, sandbox.memory, sandbox.cpus)
            if room is not None:
                admitted += _give(sandbox, room)
            elif placement.possible(reachable, sandbox.image, sandbox.memory, sandbox.cpus):
                break
            passed.append(sandbox.id)
    if admitted:
        announce_line()


def _where_its_disk_is(sandbox: Sandbox, rooms: list[placement.Room]) -> list[placement.Room]:
    """A saved machine starts on the node that has it, any other wherever there is room."""
    saved = SavedMachine.objects.filter(sandbox=sandbox).first()
    return [room for room in rooms if saved is None or room.node.pk == saved.node_id]


def _give(sandbox: Sandbox, room: placement.Room) -> int:
    """Put it on the node and have it made. Its clocks start now. Returns 0 if it left the line meanwhile."""
    now = timezone.now()
    resumed = SavedMachine.objects.filter(sandbox=sandbox).exists()
    given = Sandbox.objects.filter(id=sandbox.id, state=Sandbox.State.QUEUED).update(
        state=Sandbox.State.CREATING,
        node=room.node,
        image_digest=sandbox.image_digest if resumed else room.node.images[sandbox.image]["digest"],
        created_at=now,
        last_activity_at=now,
    )
    if given:
        room.take(sandbox.memory, sandbox.cpus)
        sandbox.node = room.node
        send(sandbox, "create_sandbox")
        waited = round((now - (sandbox.queued_at or now)).total_seconds())
        audit.record(sandbox.owner, "sandbox.start", sandbox.id, **started(sandbox), waited_seconds=waited)
        transaction.on_commit(lambda: announce(sandbox))
    return given


def started(sandbox: Sandbox) -> dict[str, Any]:
    """What the audit log keeps of a start."""
    names = ("label", "image", "profile", "memory", "cpus", "pids", "disk")
    node = sandbox.node.name if sandbox.node else None
    clamped = {name: sandbox.asked[name] for name in sandbox.asked if sandbox.asked[name] != getattr(sandbox, name)}
    return {name: getattr(sandbox, name) for name in names} | {"node": node} | ({"asked": clamped} if clamped else {})


def announce_line() -> None:
    """Every page in the line hears that its place may have changed."""
    for sandbox in line():
        announce(sandbox)
