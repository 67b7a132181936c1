"""Comparing what the host has with what the database says, and mending both."""

import contextlib
import os
import time
from datetime import UTC, datetime, timedelta

import psutil
import structlog
from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from engine import clock, pressure, saved_disks
from engine.dispatch import send
from engine.lifecycle import stop_sandbox
from engine.models import Node, Sandbox
from engine.runtime import images
from engine.runtime import sandbox as runtime
from engine.runtime.errors import SandboxError
from engine.runtime.host import Host

log = structlog.get_logger(__name__)
EVERY = 60  # s
NOT_TAKEN_UP = timedelta(seconds=90)  # a removal that has not ended by then was lost
NEVER_BEGUN = timedelta(minutes=10)  # many may stand before it, and a message that was lost is sent again; but nobody waits this long
MEMORY_PER_SANDBOX = 96 << 20  # bytes: what one takes on the average, idle and busy
NEVER_DONE = timedelta(minutes=6)  # making and setting up a sandbox takes less, or its process was killed
ACTIVITY_COUNTS_AFTER = timedelta(seconds=5)
SENT_AGAIN_AFTER = timedelta(seconds=20)


def capacity() -> int:
    """Sandboxes this node takes at once: as set, or three quarters of its memory at the average of each."""
    return settings.MAX_SANDBOXES or max(1, int(psutil.virtual_memory().total * 0.75 // MEMORY_PER_SANDBOX))


def heartbeat(name: str, host: Host) -> Node:
    """Write this node's row: it lives, what images it has, how much it takes."""
    table = {
        item.name: {"title": item.title, "digest": item.digest, "profile": item.profile, "limits": item.limits.model_dump()}
        for item in images.list_images(host.images)
    }
    measured = {"memory": psutil.virtual_memory().total, "cpus": float(len(os.sched_getaffinity(0))), "max_sandboxes": capacity()}
    values = {"heartbeat_at": timezone.now(), "images": table, **measured}
    return Node.objects.update_or_create(name=name, defaults=values)[0]


def give_up_node(node: Node) -> None:
    """End the rows of a node that has not answered for five minutes: what it ran is lost to its owners."""
    if timezone.now() - node.heartbeat_at < timedelta(minutes=5):
        return
    now = timezone.now()
    for sandbox in Sandbox.objects.filter(node=node, state__in=Sandbox.LIVE):
        stop_sandbox(sandbox, Sandbox.Reason.NODE_LOST)
        # Nobody there removes it now; when the node is back, its reconcile does.
        Sandbox.objects.filter(id=sandbox.id).update(state=Sandbox.State.STOPPED, ended_at=now)


def interrupted(node: Node, generation: str) -> list[Sandbox]:
    """Give up the claims of this node's former workers, and return what they were making or removing.

    What was queued and not begun needs nothing: its message is still there, and if Redis lost it, `reconcile` sees that.
    """
    begun = Sandbox.objects.filter(node=node, state__in=(Sandbox.State.CREATING, Sandbox.State.STOPPING)).exclude(claim="")
    rows = list(begun.exclude(claim__contains=f":{generation}:"))
    Sandbox.objects.filter(id__in=[row.id for row in rows]).update(claim="", steps=[])
    return rows


def note_activity(host: Host, sandbox: Sandbox, *, works: bool) -> None:
    """What nobody watches counts too: a build that runs with the browser closed, or with its output in a file, is not idle."""
    newest = timezone.now() if works else _last_output(host, sandbox)
    if newest is not None and newest > sandbox.last_activity_at + ACTIVITY_COUNTS_AFTER:
        Sandbox.objects.filter(id=sandbox.id).update(last_activity_at=newest)
        sandbox.last_activity_at = newest


def _last_output(host: Host, sandbox: Sandbox) -> datetime | None:
    newest = runtime.last_output(host, sandbox.id.hex)
    if newest is None or newest > time.time():  # printed before the clock was set back: when, nobody knows
        return None
    return datetime.fromtimestamp(newest, UTC)


def reconcile_if_due(node: Node, host: Host) -> None:
    """Once a minute per node, whoever asks."""
    if clock.due(f"reconcile.{node.name}", EVERY):
        reconcile(node, host)


def send_again(node: Node) -> None:
    """Queue once more what no worker has begun: Redis may have lost the message. Sent twice, it is done once."""
    late = timezone.now() - SENT_AGAIN_AFTER
    unclaimed = Sandbox.objects.filter(node=node, claim="").select_related("node").annotate(since=Coalesce("started_at", "created_at"))
    for row in unclaimed.filter(state=Sandbox.State.CREATING, since__lt=late):
        if clock.due(f"again.{row.id.hex}", SENT_AGAIN_AFTER.total_seconds()):
            send(row, "prepare_sandbox" if row.started_at else "create_sandbox")
    for row in unclaimed.filter(state=Sandbox.State.STOPPING, ended_at__lt=late):
        if clock.due(f"again.{row.id.hex}", SENT_AGAIN_AFTER.total_seconds()):
            send(row, "destroy_sandbox")


def reconcile(node: Node, host: Host) -> None:
    """Remove what no live row names; end rows whose sandbox is not there; take up what was lost on its way."""
    listed_at = time.time()
    there = runtime.present(host)
    rows = {row.id.hex: row for row in Sandbox.objects.filter(node=node, state__in=Sandbox.LIVE)}
    for sandbox_id in there - rows.keys():
        if Sandbox.objects.filter(id=sandbox_id, state__in=Sandbox.LIVE).exists():
            continue  # its row came after our listing
        log.warning("reconcile.orphan", sandbox=sandbox_id)
        try:
            saved_disks.remove_sandbox(host, sandbox_id)
        except (SandboxError, OSError):
            log.exception("reconcile.not_removed", sandbox=sandbox_id)
    runtime.drop_empty_leases(host, older_than=listed_at - EVERY)
    for sandbox_id, row in rows.items():
        if row.state in (Sandbox.State.RUNNING, Sandbox.State.READY) and not runtime.alive(host, sandbox_id):
            reason, detail = pressure.why_it_died(host, row)
            stop_sandbox(row, reason, detail=detail)
    for row in Sandbox.objects.filter(node=node, state=Sandbox.State.STOPPING, ended_at__lt=timezone.now() - NOT_TAKEN_UP):
        Sandbox.objects.filter(id=row.id).update(claim="")
        send(row, "destroy_sandbox")
    now = timezone.now()
    making = Sandbox.objects.filter(node=node, state=Sandbox.State.CREATING).annotate(since=Coalesce("started_at", "created_at"))
    lost = Q(claim="", since__lt=now - NEVER_BEGUN) | (~Q(claim="") & Q(claimed_at__lt=now - NEVER_DONE))
    for row in making.filter(lost):
        with contextlib.suppress(SandboxError, OSError):  # the row ends either way, and its remains are an orphan next time
            runtime.destroy(host, row.id.hex)
        stop_sandbox(row, Sandbox.Reason.FAILED, detail="The engine did not get to it in time. Start it again.")
        Sandbox.objects.filter(id=row.id).update(claim="")
