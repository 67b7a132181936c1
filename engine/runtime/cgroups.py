"""Control groups of a sandbox, version 1 and version 2.

Sources: Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst, cgroups(7).
"""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.runtime.errors import HostNotReady, StepFailed

ROOT = Path("/sys/fs/cgroup")
# What a delegatee may own: files that move processes, never one that holds a limit.
DELEGATED_V1 = ("cgroup.procs", "tasks")
DELEGATED_V2 = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control")
MAX_DESCENDANTS, MAX_DEPTH = 256, 8
IO_WEIGHT = 50  # of all sandboxes together; what is beside them, the site and the host's own services, has 100
# The group below its own that a nesting sandbox's processes are in on version 2. lxcfs knows the name, and answers for the group above it.
LEAF = "init.scope"


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


def delegate(path: str, owner: int, *, nesting: bool) -> None:
    """Let the sandbox's root (host uid `owner`) make groups below its own, without owning one of its limits; `nesting`: limited ones.

    Source: cgroup-v2.rst, "Delegation". On version 1 nothing caps the number of descendants; the reaper watches that.
    """
    if unified():
        (ROOT / path / "cgroup.max.descendants").write_text(str(MAX_DESCENDANTS))
        (ROOT / path / "cgroup.max.depth").write_text(str(MAX_DEPTH))
        if nesting:
            _hand_on(path, owner)
    names = DELEGATED_V2 if unified() else DELEGATED_V1
    for hierarchy in hierarchies():
        group = hierarchy / path
        if group.is_dir() and (unified() or not (group / "cgroup.subtree_control").exists()):
            _give(group, names, owner)


def _give(group: Path, names: tuple[str, ...], owner: int) -> None:
    for entry in (group, *(group / name for name in names)):
        if entry.exists():
            os.chown(entry, owner, owner)


def _hand_on(path: str, owner: int) -> None:
    """Move all processes into a group below and hand every controller on: a group with processes of its own cannot ("no internal
    processes", cgroup-v2.rst), and then no container in the sandbox can have a limit.

    systemd does this for itself; what the sandbox runs as PID 1 does not. Who is let in later joins PID 1's group: the runtime sees to it.
    """
    group, leaf = ROOT / path, ROOT / path / LEAF
    leaf.mkdir()
    _give(leaf, DELEGATED_V2, owner)
    while members := (group / "cgroup.procs").read_text().split():  # what those that have moved start is in their group
        for pid in members:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                (leaf / "cgroup.procs").write_text(pid)
    available = (group / "cgroup.controllers").read_text().split()
    (group / "cgroup.subtree_control").write_text(" ".join(f"+{controller}" for controller in available))


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


def thaw(path: str) -> None:
    """Wake what is frozen in the group or below it (`docker pause` freezes): on version 1 a frozen process does not even die of SIGKILL."""
    for hierarchy in hierarchies():
        for group in reversed(list(_below(hierarchy / path))):  # a group is frozen for as long as one above it is
            for name, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                with contextlib.suppress(OSError):  # no such file here, or the group has gone
                    descriptor = os.open(group / name, os.O_WRONLY)
                    try:
                        os.write(descriptor, value.encode())
                    finally:
                        os.close(descriptor)


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
    """The group above all sandboxes; on version 2 with the controllers they need switched on. Raises HostNotReady."""
    for hierarchy in hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)
    if unified():
        for group in (ROOT, ROOT / name):
            available = (group / "cgroup.controllers").read_text().split()
            wanted = [f"+{controller}" for controller in ("memory", "cpu", "pids", "io", "cpuset") if controller in available]
            try:
                (group / "cgroup.subtree_control").write_text(" ".join(wanted))
            except OSError as error:
                # Only the kernel's own root may have processes and hand controllers on: a container's root may not.
                raise HostNotReady(
                    f"The control group {group} cannot hand its controllers on ({error.strerror}). In a container, first move all "
                    f"processes from {group} into a group below it."
                ) from error
    elif (cpuset := ROOT / "cpuset" / name).is_dir():
        # A version 1 cpuset starts empty, and no process may enter an empty one.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if not (cpuset / setting).read_text().strip():
                (cpuset / setting).write_text((cpuset.parent / setting).read_text())
    # The files are there only where the disk's scheduler shares out time by weight (bfq), or iocost on version 2. On the group above all
    # sandboxes: a weight counts against the groups beside it, and sandboxes are equal among themselves.
    group = ROOT / name if unified() else ROOT / "blkio" / name
    for file in ("io.weight", "io.bfq.weight", "blkio.weight", "blkio.bfq.weight"):
        if (group / file).exists():
            (group / file).write_text(str(IO_WEIGHT))


def children(name: str) -> set[str]:
    """Names of the groups directly under the parent `name`, in any hierarchy."""
    found: set[str] = set()
    for hierarchy in hierarchies():
        if (hierarchy / name).is_dir():
            found |= {entry.name for entry in (hierarchy / name).iterdir() if entry.is_dir()}
    return found


def descendants(path: str) -> int:
    """How many groups are below the group, in the hierarchy where they are most."""
    return max((sum(1 for _ in _below(hierarchy / path)) - 1 for hierarchy in hierarchies() if (hierarchy / path).is_dir()), default=0)


def processors(path: str) -> int:
    """How many processors the group may run on."""
    file = ROOT / path / "cpuset.cpus.effective" if unified() else ROOT / "cpuset" / path / "cpuset.cpus"
    count = 0
    for part in file.read_text().strip().split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count


def memory_used(path: str) -> int:
    """Bytes charged to the group, page cache included."""
    file = ROOT / path / "memory.current" if unified() else ROOT / "memory" / path / "memory.usage_in_bytes"
    return int(file.read_text())


def memory_needed(path: str) -> int:
    """Bytes charged to the group that cannot simply be given back: without the page cache nobody touched lately."""
    file = ROOT / path / "memory.stat" if unified() else ROOT / "memory" / path / "memory.stat"
    stat = dict(line.split() for line in file.read_text().splitlines())
    # On version 1 the plain name is this group's alone; `total_` is with the groups below it, as on version 2.
    return memory_used(path) - int(stat["inactive_file" if unified() else "total_inactive_file"])


def kernel_memory(path: str) -> int:
    """Bytes of kernel memory (slab, page tables, stacks) charged to the group."""
    if unified():
        stat = dict(line.split() for line in (ROOT / path / "memory.stat").read_text().splitlines())
        return int(stat["kernel"])
    return int((ROOT / "memory" / path / "memory.kmem.usage_in_bytes").read_text())


@dataclass(frozen=True)
class Counters:
    """What the kernel has counted of a group and all below it."""

    oom_kills: int
    pids_refused: int  # forks that the process limit refused (before Linux 6.11 also those that a limit set inside refused)
    cpu: float  # s of processor time


def counters(path: str) -> Counters:
    """The group's counters. Raises FileNotFoundError when it is gone.

    On version 1 each group counts only its own; a count may fall when the sandbox removes a group of its own.
    """
    if unified():
        group = ROOT / path
        oom_kills = _keyed(group / "memory.events")["oom_kill"]
    else:
        oom_kills = _sum(ROOT / "memory" / path, "memory.oom_control", "oom_kill")
    return Counters(oom_kills=oom_kills, pids_refused=_pids_refused(path), cpu=cpu_time(path))


def _pids_refused(path: str) -> int:
    """Forks that the group's own limit refused.

    Version 2 since Linux 6.11 counts them in the group whose limit it was; before, as on version 1, in the group that forked.
    """
    group = ROOT / path if unified() else ROOT / "pids" / path
    own = group / "pids.events.local"
    return _keyed(own)["max"] if own.exists() else _sum(group, "pids.events", "max")


def cpu_time(path: str) -> float:
    """Seconds of processor time the group and all below it have taken."""
    if unified():
        return _keyed(ROOT / path / "cpu.stat")["usage_usec"] / 1e6
    return int((ROOT / "cpuacct" / path / "cpuacct.usage").read_text()) / 1e9


def pids_used(path: str) -> int:
    """Processes and threads in the group and all below it."""
    file = ROOT / path / "pids.current" if unified() else ROOT / "pids" / path / "pids.current"
    return int(file.read_text())


def memory_peak(path: str) -> int | None:
    """The most bytes the group ever held; None where the kernel does not keep that (version 2 before Linux 5.19)."""
    file = ROOT / path / "memory.peak" if unified() else ROOT / "memory" / path / "memory.max_usage_in_bytes"
    return int(file.read_text()) if file.exists() else None


def there(path: str) -> bool:
    """Whether the group is in any hierarchy."""
    return any((hierarchy / path).is_dir() for hierarchy in hierarchies())


def _keyed(file: Path) -> dict[str, int]:
    return {key: int(value) for key, value in (line.split() for line in file.read_text().splitlines())}


def _sum(group: Path, name: str, key: str) -> int:
    total = _keyed(group / name)[key]
    for below in _below(group):
        if below != group:
            with contextlib.suppress(FileNotFoundError, OSError):  # the sandbox has removed it since
                total += _keyed(below / name)[key]
    return total
