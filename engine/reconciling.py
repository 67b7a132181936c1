"""Comparing what the host has with what the database says, and mending both."""

import contextlib
import time
from datetime import UTC, datetime, timedelta

import psutil
import structlog
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from engine.lifecycle import stop_sandbox
from engine.models import Node, Sandbox
from engine.runtime import images
from engine.runtime import sandbox as runtime
from engine.runtime.errors import SandboxError
from engine.runtime.host import Host

log = structlog.get_logger(__name__)
EVERY = 60  # s
NOT_TAKEN_UP = timedelta(seconds=90)  # a task that has not come back by then was lost
MEMORY_PER_SANDBOX = 96 << 20  # bytes: what one takes on the average, idle and busy
NEVER_DONE = timedelta(minutes=6)  # making and setting up a sandbox takes less, or its process was killed
OUTPUT_COUNTS_AFTER = timedelta(seconds=5)


def capacity() -> int:
    """Sandboxes this node takes at once: as set, or three quarters of its memory at the average of each."""
    return settings.MAX_SANDBOXES or max(1, int(psutil.virtual_memory().total * 0.75 // MEMORY_PER_SANDBOX))


def heartbeat(name: str, host: Host) -> Node:
    """Write this node's row: it lives, what images it has, how much it takes."""
    table = {
        item.name: {"title": item.title, "digest": item.digest, "profile": item.profile, "limits": item.limits.model_dump()}
        for item in images.list_images(host.images)
    }
    values = {"heartbeat_at": timezone.now(), "images": table, "max_sandboxes": capacity()}
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
    rows = list(begun.exclude(claim__endswith=f":{generation}"))
    Sandbox.objects.filter(id__in=[row.id for row in rows]).update(claim="", steps=[])
    return rows


def note_output(host: Host, sandbox: Sandbox) -> None:
    """Output nobody watches counts as activity too: a build that runs with the browser closed is not idle."""
    newest = runtime.last_output(host, sandbox.id.hex)
    if newest is None:
        return
    at = datetime.fromtimestamp(newest, UTC)
    if at > sandbox.last_activity_at + OUTPUT_COUNTS_AFTER:
        Sandbox.objects.filter(id=sandbox.id).update(last_activity_at=at)
        sandbox.last_activity_at = at


def reconcile_if_due(node: Node, host: Host) -> None:
    """Once a minute per node, whoever asks."""
    if cache.add(f"reconcile.{node.name}", 1, timeout=EVERY):
        reconcile(node, host)


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
            runtime.destroy(host, sandbox_id)
        except (SandboxError, OSError):
            log.exception("reconcile.not_removed", sandbox=sandbox_id)
    runtime.drop_empty_leases(host, older_than=listed_at - EVERY)
    for sandbox_id, row in rows.items():
        if row.state in (Sandbox.State.RUNNING, Sandbox.State.READY) and not runtime.alive(host, sandbox_id):
            stop_sandbox(row, Sandbox.Reason.FAILED, detail="It is no longer on its host. Start it again to get a fresh one.")
    for row in Sandbox.objects.filter(node=node, state=Sandbox.State.STOPPING, ended_at__lt=timezone.now() - NOT_TAKEN_UP):
        Sandbox.objects.filter(id=row.id).update(claim="")
        _again(row, "destroy_sandbox")
    now = timezone.now()
    making = Sandbox.objects.filter(node=node, state=Sandbox.State.CREATING).annotate(since=Coalesce("started_at", "created_at"))
    lost = Q(claim="", since__lt=now - NOT_TAKEN_UP) | Q(since__lt=now - NEVER_DONE)
    for row in making.filter(lost):
        with contextlib.suppress(SandboxError, OSError):  # the row ends either way, and its remains are an orphan next time
            runtime.destroy(host, row.id.hex)
        stop_sandbox(row, Sandbox.Reason.FAILED, detail="The engine did not get to it in time. Start it again.")
        Sandbox.objects.filter(id=row.id).update(claim="")


def _again(row: Sandbox, task: str) -> None:
    current_app.send_task(f"engine.tasks.{task}", args=[row.id.hex], queue=row.node.queue)
