"""A sandbox's writable state: one sparse ext4 image, so that its size is a hard limit and deleting it is one unlink."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from engine.runtime.errors import StepFailed
from engine.runtime.spec import format_size

RESERVE = 512 << 20  # bytes kept free on the host, whatever learners do
BYTES_PER_INODE = 16384  # mke2fs's own ratio, said here so that a distribution's mke2fs.conf cannot change the limit
FEWEST_INODES = 8192  # small disks too must hold a package installation


def inodes(size: int) -> int:
    """How many files a disk of `size` bytes can hold (mkfs rounds up to whole groups)."""
    return max(FEWEST_INODES, size // BYTES_PER_INODE)


def make_disk(path: Path, size: int) -> None:
    """Make a sparse ext4 image of `size` bytes.

    No journal: e2fsck runs before a disk is used again. Raises StepFailed when the host's disk
    is nearly full or mkfs fails.
    """
    free = shutil.disk_usage(path.parent).free
    if free < RESERVE:
        raise StepFailed("disk", f"this machine's disk is full ({format_size(free)} left). An admin can free space there.")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)
    result = subprocess.run(
        [
            "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode",
            "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", "-I", "256",
            "-N", str(inodes(size)), str(path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if result.returncode != 0:
        raise StepFailed("disk", result.stderr.strip())


@dataclass(frozen=True)
class Space:
    """What a sandbox's disk has left: bytes and inodes."""

    free: int
    size: int
    files_free: int


def space(pid: int, limit: int) -> Space | None:
    """What is left on the disk of the sandbox whose PID 1 is `pid`; None when it has gone, or put something else at its root.

    The disk is mounted in the sandbox's own mount namespace only, and ext4 brings its superblock up to date only when it is unmounted, so
    the file system itself has to be asked. /proc/PID/root leads to PID 1's root without a path walk inside: the sandbox has no symbolic
    link, permission or mount to turn us aside with. It cannot make us wait either: what answers slowly or never, FUSE and network file
    systems, it cannot mount (its device cgroup denies /dev/fuse, its user namespace the others).
    """
    try:
        descriptor = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    try:
        found = os.statvfs(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    size = found.f_blocks * found.f_frsize
    if not limit // 2 <= size <= limit:  # root in a docker sandbox may pivot PID 1 to a tmpfs: that says nothing of the disk
        return None
    return Space(free=found.f_bavail * found.f_frsize, size=size, files_free=found.f_favail)
