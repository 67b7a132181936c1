"""Mounts of a sandbox, made in a mount namespace that only the sandbox keeps alive.

The kernel then undoes them by itself: when the last process of the sandbox ends, its mount namespace goes, and with it the overlay, the
idmapped image, the disk and (LO_FLAGS_AUTOCLEAR) the loop device. Nothing of ours has to run for that, so nothing leaks when we die.

Sources: mount(2), mount_setattr(2), open_tree(2), move_mount(2), loop(4); Documentation/filesystems/idmappings.rst.
"""

import ctypes
import errno
import fcntl
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine.runtime.errors import StepFailed

Result = TypeVar("Result")

CLONE_NEWNS = 0x00020000
MS_NOSUID, MS_NODEV, MS_NOATIME, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x400, 0x4000, 0x40000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_EMPTY_PATH, MOVE_MOUNT_F_EMPTY_PATH = 0x1, 0o2000000, 0x1000, 0x4
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV, MOUNT_ATTR_IDMAP = 0x1, 0x4, 0x00100000
SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 428, 429, 442
AT_FDCWD = -100
MNT_DETACH = 2
LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LO_FLAGS_AUTOCLEAR = 0x4C82, 0x4C0A, 4

libc = ctypes.CDLL(None, use_errno=True)
libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
libc.syscall.restype = ctypes.c_long


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2). Raises OSError naming source and target."""
    result = libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode() or None)
    _checked(result, f"mount {source} on {target}")


def in_private_mounts(act: Callable[[], Result]) -> Result:
    """Run `act` in a thread with a mount namespace of its own, and return what it returns.

    Processes that `act` starts inherit the namespace (a thread has its own nsproxy, a fork copies the caller's); it goes when the
    thread has ended and no such process is left. Raises what `act` raises.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            _checked(libc.unshare(CLONE_NEWNS), "unshare mount namespace")
            mount("none", "/", "none", MS_REC | MS_PRIVATE)
            outcome.append(act())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=body, name="private-mounts")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def mount_idmapped(source: Path, target: Path, namespace: str) -> None:
    """Bind `source` on `target`, read-only, with its ids mapped as in the user namespace at this path: no copy, no chown of the image."""
    _clone_mapped(source, target, namespace, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV)


def map_ids(target: Path, namespace: str) -> None:
    """Put in place of the mount on `target` the same with its ids mapped as in the user namespace at this path."""
    _clone_mapped(target, target, namespace, 0, instead=True)


def _clone_mapped(source: Path, target: Path, namespace: str, attributes: int, *, instead: bool = False) -> None:
    userns = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        tree = _checked(
            libc.syscall(SYS_OPEN_TREE, AT_FDCWD, os.fsencode(source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), f"open_tree {source}"
        )
        try:
            attr = _MountAttr(attr_set=MOUNT_ATTR_IDMAP | attributes, userns_fd=userns)
            _checked(
                libc.syscall(SYS_MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, ctypes.byref(attr), ctypes.sizeof(attr)),
                "mount_setattr idmap (its file system must support idmapped mounts: ext4, xfs, btrfs)",
            )
            if instead:
                _checked(libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")
            _checked(
                libc.syscall(SYS_MOVE_MOUNT, tree, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH),
                f"move_mount to {target}",
            )
        finally:
            os.close(tree)
    finally:
        os.close(userns)


def attach_loop(image: Path) -> tuple[str, int]:
    """Attach a free loop device to `image`; it detaches by itself when its last user goes. Returns (device path, descriptor).

    The descriptor keeps the device until it is mounted; close it then. Raises StepFailed when no device is free.
    """
    backing = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    try:
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            for _ in range(64):  # another process may take the device between the two calls
                number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
                device = f"/dev/loop{number}"
                descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
                # struct loop_config: fd, block_size, struct loop_info64 (232 bytes, lo_flags at 52), 8 reserved words
                info = bytearray(232)
                struct.pack_into("I", info, 52, LO_FLAGS_AUTOCLEAR)
                info[56 : 56 + 63] = os.fsencode(image)[-63:].ljust(63, b"\0")
                config = struct.pack("II", backing, 0) + bytes(info) + bytes(64)
                try:
                    fcntl.ioctl(descriptor, LOOP_CONFIGURE, config)
                except OSError as error:
                    os.close(descriptor)
                    if error.errno != errno.EBUSY:
                        raise
                else:
                    return device, descriptor
        finally:
            os.close(control)
    finally:
        os.close(backing)
    raise StepFailed("disk", "no loop device is free on this host")


def mount_disk(image: Path, target: Path) -> None:
    """Mount the ext4 file system in the file `image` on `target`."""
    device, descriptor = attach_loop(image)
    try:
        # `errors=remount-ro`: a file system its learner broke stops being written, and the host goes on.
        mount(device, str(target), "ext4", MS_NOATIME, "errors=remount-ro,discard")
    finally:
        os.close(descriptor)


def mount_overlay(directory: Path, lower: str, upper: str, work: str, target: str) -> None:
    """Mount an overlay with paths relative to `directory`, so that no host path shows in the sandbox's mountinfo.

    Call it inside `in_private_mounts`: it changes the working directory of the calling thread, which is its own there.
    """
    os.chdir(directory)
    mount("overlay", target, "overlay", MS_NOATIME, f"lowerdir={lower},upperdir={upper},workdir={work},xino=off")
