"""Control groups of a sandbox, version 1 and version 2.

Sources: Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst, cgroups(7).
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from engine.runtime.errors import StepFailed

ROOT = Path("/sys/fs/cgroup")
# What a delegatee may own: files that move processes, never one that holds a limit.
DELEGATED_V1 = ("cgroup.procs", "tasks")
DELEGATED_V2 = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control")
MAX_DESCENDANTS, MAX_DEPTH = 256, 8


def unified() -> bool:
    """Whether the host has only the version 2 hierarchy."""
    return (ROOT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """Mount points of every hierarchy a sandbox is in: one on version 2, one per controller on version 1.

    A version 1 host has a version 2 tree without controllers beside them (systemd's "hybrid"), and runc makes a group there too.
    """
    if unified():
        return [ROOT]
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        if tail.split()[0] in ("cgroup", "cgroup2"):
            # One hierarchy may be mounted at several places: cpu and cpuacct as links of "cpu,cpuacct".
            found.setdefault(fields.split()[2], Path(fields.split()[4]))
    return list(found.values())


def delegate(path: str, owner: int) -> None:
    """Let the sandbox's root (host uid `owner`) make groups below its own, as Docker does, without owning one of its limits.

    Source: cgroup-v2.rst, "Delegation". On version 1 nothing caps the number of descendants; the reaper watches that.
    """
    if unified():
        (ROOT / path / "cgroup.max.descendants").write_text(str(MAX_DESCENDANTS))
        (ROOT / path / "cgroup.max.depth").write_text(str(MAX_DEPTH))
    names = DELEGATED_V2 if unified() else DELEGATED_V1
    for hierarchy in hierarchies():
        group = hierarchy / path
        if group.is_dir() and (unified() or not (group / "cgroup.subtree_control").exists()):
            for entry in (group, *(group / name for name in names)):
                if entry.exists():
                    os.chown(entry, owner, owner)


def _below(group: Path) -> Iterator[Path]:
    """Every group under `group`, the deepest first, and `group` itself last."""
    for directory, _, _ in os.walk(group, topdown=False):
        yield Path(directory)


def processes(path: str) -> set[int]:
    """Process ids in the group and all below it."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for group in _below(hierarchy / path):
            with contextlib.suppress(FileNotFoundError, OSError):
                found |= {int(word) for word in (group / "cgroup.procs").read_text().split()}
    return found


def remove(path: str, deadline: float = 5.0) -> None:
    """Remove the group in every hierarchy, with what the sandbox made below it. Its processes must be dying already.

    Raises StepFailed when a group is still in use after `deadline` seconds.
    """
    end = time.monotonic() + deadline
    for hierarchy in hierarchies():
        while (hierarchy / path).is_dir():
            for group in _below(hierarchy / path):
                with contextlib.suppress(OSError):  # EBUSY: a process is not gone yet; tried again until the deadline
                    group.rmdir()
            if not (hierarchy / path).is_dir():
                break
            if time.monotonic() > end:
                raise StepFailed("cgroup", f"{hierarchy / path} is still in use")
            time.sleep(0.002)


def make_parent(name: str) -> None:
    """The group above all sandboxes; on version 2 with the controllers they need switched on."""
    for hierarchy in hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)
    if unified():
        for group in (ROOT, ROOT / name):
            available = (group / "cgroup.controllers").read_text().split()
            wanted = [f"+{controller}" for controller in ("memory", "cpu", "pids", "io", "cpuset") if controller in available]
            (group / "cgroup.subtree_control").write_text(" ".join(wanted))
    elif (cpuset := ROOT / "cpuset" / name).is_dir():
        # A version 1 cpuset starts empty, and no process may enter an empty one.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if not (cpuset / setting).read_text().strip():
                (cpuset / setting).write_text((cpuset.parent / setting).read_text())


def children(name: str) -> set[str]:
    """Names of the groups directly under the parent `name`, in any hierarchy."""
    found: set[str] = set()
    for hierarchy in hierarchies():
        if (hierarchy / name).is_dir():
            found |= {entry.name for entry in (hierarchy / name).iterdir() if entry.is_dir()}
    return found


def memory_used(path: str) -> int:
    """Bytes charged to the group, page cache included."""
    file = ROOT / path / "memory.current" if unified() else ROOT / "memory" / path / "memory.usage_in_bytes"
    return int(file.read_text())


def kernel_memory(path: str) -> int:
    """Bytes of kernel memory (slab, page tables, stacks) charged to the group."""
    if unified():
        stat = dict(line.split() for line in (ROOT / path / "memory.stat").read_text().splitlines())
        return int(stat["kernel"])
    return int((ROOT / "memory" / path / "memory.kmem.usage_in_bytes").read_text())
