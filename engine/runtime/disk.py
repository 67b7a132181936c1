"""A sandbox's writable state: one sparse ext4 image, so that its size is a hard limit and deleting it is one unlink."""

import os
import shutil
import subprocess
from pathlib import Path

from engine.runtime.errors import StepFailed
from engine.runtime.spec import format_size

RESERVE = 512 << 20  # bytes kept free on the host, whatever learners do


def make_disk(path: Path, size: int, owner: int) -> None:
    """Make a sparse ext4 image of `size` bytes whose root directory belongs to uid and gid `owner`.

    No journal: the image lives as long as its sandbox, and e2fsck runs before one is used again. Raises StepFailed when the host's disk
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
            "-E", f"lazy_itable_init=1,nodiscard,root_owner={owner}:{owner}", "-I", "256", str(path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if result.returncode != 0:
        raise StepFailed("disk", result.stderr.strip())
