"""Saved machines: disks that outlive their sandboxes.

<state>/saved/<id>/disk.img       the disk
<state>/saved/<id>/machine.json   what it was made from; written first

A machine is saved by a second name (link(2)) for its disk, and resumed by a second name in the new sandbox's directory. So at every moment,
whoever is killed, each disk has a name; a sandbox's end takes away its own name only, and what a resumed machine writes is saved as it
is written. The count of names says whether a sandbox has the disk now.
"""

import os
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.runtime.checking import check_disk
from engine.runtime.errors import SandboxError, StepFailed
from engine.runtime.host import Host

DISK, RECORD = "disk.img", "machine.json"
BLOCK = 512  # bytes in a unit of st_blocks (stat(2))


class NotSaved(SandboxError):
    """There is no such saved machine on this host, or what there is of it cannot be used."""


class DiskRefused(StepFailed):
    """A saved disk that this machine's kernel must not mount."""


class Record(BaseModel):
    """machine.json, and a sandbox's image.json: the image and the build of it that the disk's files lie over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    digest: str


def keep(host: Host, sandbox_id: str, saved_id: str) -> None:
    """Give the sandbox's disk its second name: from here on, its files outlive it. Idempotent; the sandbox may run.

    Raises NotSaved where it has no disk.
    """
    directory, source = host.saved / saved_id, host.directory(sandbox_id)
    if (directory / DISK).exists():
        return
    try:
        made_from = (source / "image.json").read_bytes()
        host.saved.mkdir(mode=0o700, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        (directory / RECORD).write_bytes(made_from)
        _sync(directory / RECORD)
        os.link(source / DISK, directory / DISK)
    except FileNotFoundError as error:
        raise NotSaved(f"The machine's disk is not there: {error.filename}") from error
    _sync(directory)
    _sync(host.saved)


def flush(host: Host, saved_id: str) -> None:
    """Bring what the sandbox wrote to the host's disk, so that a power failure cannot take it. May take seconds."""
    _sync(host.saved / saved_id / DISK)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def record(host: Host, saved_id: str) -> Record:
    """What the machine was made from. Raises NotSaved."""
    try:
        return Record.model_validate_json((host.saved / saved_id / RECORD).read_text())
    except (FileNotFoundError, ValidationError) as error:
        raise NotSaved("The saved machine's files are not on this node any more.") from error


def size(host: Host, saved_id: str) -> int | None:
    """Bytes the sparse disk takes on the host now, or None where there is no disk."""
    try:
        return (host.saved / saved_id / DISK).stat().st_blocks * BLOCK
    except FileNotFoundError:
        return None


def in_use(host: Host, saved_id: str) -> bool:
    """Whether a sandbox has the disk, or what is left of one. False where there is no disk."""
    try:
        return (host.saved / saved_id / DISK).stat().st_nlink > 1
    except FileNotFoundError:
        return False


def hand_over(host: Host, saved_id: str, sandbox_id: str) -> None:
    """Look the disk over, then give it its name in the sandbox's directory.

    Raises NotSaved, DiskRefused with the reason, or StepFailed when another sandbox has it still.
    """
    disk = host.saved / saved_id / DISK
    if not disk.is_file():
        raise NotSaved("The saved machine's files are not on this node any more.")
    if in_use(host, saved_id):
        raise StepFailed("disk", "this saved machine is still being put away. Try again in a minute")
    try:
        check_disk(disk)
    except StepFailed as error:
        raise DiskRefused("disk", error.detail) from error
    os.link(disk, host.directory(sandbox_id) / DISK)


def remove(host: Host, saved_id: str) -> None:
    """Delete it. Idempotent. The disk goes first: without it the rest is nothing."""
    directory = host.saved / saved_id
    (directory / DISK).unlink(missing_ok=True)
    if directory.is_dir():
        shutil.rmtree(directory)


def present(host: Host) -> set[str]:
    """Ids of what is there of saved machines, whole or not."""
    return {entry.name for entry in host.saved.iterdir()} if host.saved.is_dir() else set()


def digests(saved_dir: Path) -> set[str]:
    """The image builds that saved machines need. Raises ValidationError where a record is damaged: better than to lose its image."""
    return {Record.model_validate_json(path.read_text()).digest for path in saved_dir.glob(f"*/{RECORD}")}
