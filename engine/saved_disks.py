"""The worker's part of saved machines: their disks on this node. It reads rows, and takes ids only.

Nothing here has to be done at a certain moment: `tend` compares rows and disks every few seconds and takes up what a killed worker left.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from django.conf import settings
from django.utils import timezone

from engine import clock
from engine.models import Node, Sandbox, SavedMachine
from engine.runtime import sandbox as runtime
from engine.runtime import saved as disks
from engine.runtime.errors import SandboxError
from engine.runtime.host import Host
from engine.runtime.saved import DiskRefused, NotSaved
from engine.saving import expire

log = structlog.get_logger(__name__)
State = SavedMachine.State
AT_ONCE = 20  # of each kind in one look: a look must not hold up the others' heartbeats
STRANGERS_EVERY = 3600  # s


def resumed_from(sandbox: Sandbox) -> str | None:
    """Id of the saved machine whose disk this sandbox is to have."""
    found = SavedMachine.objects.filter(sandbox=sandbox, state=State.RUNNING).values_list("id", flat=True).first()
    return found.hex if found else None


def remove_sandbox(host: Host, sandbox_id: str) -> None:
    """Remove every trace of a sandbox, after keeping its disk where that is wished. Idempotent; in any state.

    Raises SandboxError or OSError when something will not go. A disk that is to be kept and cannot be, for want of room on the host, stays
    where it is, with its sandbox's directory, and is tried again.
    """
    kept = SavedMachine.objects.filter(sandbox_id=sandbox_id, state__in=(State.SAVING, State.RUNNING)).first()
    if kept:
        try:
            runtime.save(host, sandbox_id, kept.id.hex)
        except NotSaved as error:  # it was never made, or is away already
            log.warning("saved.no_disk", saved=kept.id.hex, sandbox=sandbox_id, error=str(error))
    runtime.destroy(host, sandbox_id)
    if kept:
        settle(host, kept)


def refused(sandbox: Sandbox, error: Exception) -> None:
    """The sandbox could not be made from its saved disk: what is wrong with that is the saved machine's state, too."""
    if isinstance(error, DiskRefused | NotSaved):
        SavedMachine.objects.filter(sandbox=sandbox, state=State.RUNNING).update(state=State.FAILED, reason=str(error))


def settle(host: Host, kept: SavedMachine) -> None:
    """Once no sandbox has the disk: it is saved, or it is lost and says so."""
    name = kept.id.hex
    if disks.in_use(host, name):
        return
    size = disks.size(host, name)
    rows = SavedMachine.objects.filter(id=kept.id, state__in=(State.SAVING, State.RUNNING))
    if size is None:
        rows.update(state=State.FAILED, size=0, reason="Its disk was lost before it could be saved.")
        log.error("saved.lost", saved=name)
        return
    disks.flush(host, name)
    record = disks.record(host, name)
    rows.update(state=State.SAVED, size=size, saved_at=timezone.now(), image=record.image, image_digest=record.digest, reason="")
    log.info("saved.kept", saved=name, bytes=size)


def tend(node: Node, host: Host) -> None:
    """Settle what no sandbox uses any more; delete what its owner, their account's end or the retention gives up."""
    mine = SavedMachine.objects.filter(node=node).select_related("sandbox", "owner").defer("sandbox__files", "sandbox__setup")
    for kept in mine.filter(state__in=(State.SAVING, State.RUNNING)).exclude(sandbox__state__in=Sandbox.LIVE)[:AT_ONCE]:
        with _logged(kept):
            if kept.sandbox is None:
                settle(host, kept)
            else:  # its end was written while this node was away: it may be here still, with a disk that is to be kept
                remove_sandbox(host, kept.sandbox.id.hex)
    idle = mine.filter(state__in=(State.SAVED, State.FAILED))
    for kept in idle.filter(owner=None)[:AT_ONCE]:
        expire(kept, "account deleted")
    if settings.SAVED_DAYS:
        for kept in idle.filter(saved_at__lt=timezone.now() - timedelta(days=settings.SAVED_DAYS))[:AT_ONCE]:
            expire(kept, f"not used for {settings.SAVED_DAYS} days")
    for kept in mine.filter(state=State.DELETING)[:AT_ONCE]:
        with _logged(kept):
            disks.remove(host, kept.id.hex)
            SavedMachine.objects.filter(id=kept.id).delete()
    if clock.due(f"saved.strangers.{node.name}", STRANGERS_EVERY):
        _look_for_strangers(host)


@contextmanager
def _logged(kept: SavedMachine) -> Iterator[None]:
    """What fails with one is looked at again in a moment, and does not hold up the others."""
    try:
        yield
    except (SandboxError, OSError):
        log.exception("saved.not_settled", saved=kept.id.hex)


def _look_for_strangers(host: Host) -> None:
    """Directories without a row. One with a disk is somebody's work, whatever became of the database: an admin decides (docs/saving.md)."""
    for name in disks.present(host) - {row.hex for row in SavedMachine.objects.values_list("id", flat=True)}:
        if disks.size(host, name) is None:
            disks.remove(host, name)
        else:
            log.warning("saved.without_row", saved=name)
