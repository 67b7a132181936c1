"""Looking a disk over before this machine's kernel mounts it: whoever had it may have forged it.

The kernel's ext4 code trusts much of what it reads ("mounting an untrusted image is like running untrusted code in the kernel",
https://lwn.net/Articles/755593/), so e2fsck reads it first, in user space, without any privilege, in a room of its own, bounded in
time and memory; and a file system with features that `make_disk` does not use is refused unread.

A sandbox's root cannot write its own raw image: this is for disks that were saved, moved or restored, of which the site has none yet.
Sources: e2fsck(8), dumpe2fs(8), ext4(5).
"""

import os
import subprocess
from pathlib import Path

from engine.runtime.errors import StepFailed

NOBODY = 65534
TIMEOUT = 120.0  # s
MEMORY, PROCESSOR = 1 << 30, 90  # bytes of address space, s
# What `make_disk` writes: mke2fs's ext4 without a journal. e2fsprogs 1.47 adds metadata_csum_seed and orphan_file.
FEATURES = frozenset({
    "ext_attr", "dir_index", "orphan_file", "filetype", "extent", "64bit", "flex_bg", "metadata_csum_seed", "sparse_super",
    "large_file", "huge_file", "dir_nlink", "extra_isize", "metadata_csum",
})  # fmt: skip
FIELDS = {"Filesystem features", "Block count", "Block size"}
CLEAN, MENDED = (0,), (1, 2)


def _confined(path: Path, argv: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run `argv` on the image as nobody, without capabilities, network or the host's processes.

    Raises StepFailed when it takes too long.
    """
    size = path.stat().st_size
    room = ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child"]
    bounds = ["prlimit", f"--as={MEMORY}", f"--cpu={PROCESSOR}", f"--fsize={size}", "--nofile=64", "--core=0"]
    drop = [
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--no-new-privs",
        "--pdeathsig=KILL",  # the kernel forgets unshare's --kill-child when the user changes
    ]
    # Through a descriptor: nobody may not walk the path to the image, and need not.
    image = os.open(path, os.O_PATH)
    try:
        return subprocess.run(
            [*room, *drop, *bounds, *argv, f"/proc/self/fd/{image}"], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            pass_fds=[image], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise StepFailed("disk", "its file system could not be checked in time") from None
    finally:
        os.close(image)


def check_disk(path: Path) -> bool:
    """Look the image over and mend what can be mended; whether anything was. Raises StepFailed when it must not be mounted.

    The image is nobody's while it is looked over, and root's again afterwards, whatever happens.
    """
    os.chown(path, NOBODY, NOBODY)
    try:
        _refuse_foreign_features(path)
        result = _confined(path, ["e2fsck", "-f", "-y"])
    finally:
        os.chown(path, 0, 0)
        path.chmod(0o600)
    if result.returncode in CLEAN:
        return False
    if result.returncode in MENDED:
        return True
    lines = (result.stderr or result.stdout).strip().splitlines() or ["e2fsck said nothing"]
    raise StepFailed("disk", f"the saved disk is damaged beyond repair ({lines[-1]})")


def _refuse_foreign_features(path: Path) -> None:
    header = _confined(path, ["dumpe2fs", "-h"])
    lines = [(name, value.strip()) for name, _, value in (line.partition(":") for line in header.stdout.splitlines())]
    fields = dict(lines)
    if header.returncode != 0 or not fields.keys() >= FIELDS:
        raise StepFailed("disk", "the saved disk holds no ext4 file system")
    # A forged "last mounted on" may hold a newline and pretend to be one of the lines below.
    if sum(name in FIELDS for name, _ in lines) != len(FIELDS):
        raise StepFailed("disk", "the saved disk's header is forged")
    if "Mount options" in fields:  # the kernel would heed them
        raise StepFailed("disk", "the saved disk brings mount options of its own")
    foreign = set(fields["Filesystem features"].split()) - FEATURES
    if foreign:
        raise StepFailed("disk", f"the saved disk has features this site's disks do not have: {', '.join(sorted(foreign))}")
    blocks, block = fields["Block count"], fields["Block size"]
    if not (blocks.isdigit() and block.isdigit()) or int(blocks) * int(block) > path.stat().st_size:
        raise StepFailed("disk", "the saved disk's file system is larger than the disk")
