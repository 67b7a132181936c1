"""What this machine gives its sandboxes to see of themselves and to share: processors, true figures (lxcfs), inotify.

Sources: lxcfs(8); cgroup-v1/cpusets.rst; inotify(7); namespaces(7), "The /proc/sys/user directory".
"""

import os
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from engine.runtime.host import SLOTS, Slot
from engine.runtime.profiles import INOTIFY

LXCFS = Path("/var/lib/lxcfs")
# What lxcfs answers for the reader's own control group. The runtime allows a mount over these files of /proc and no others.
FIGURES = ("cpuinfo", "loadavg", "meminfo", "stat", "swaps", "uptime")


@dataclass(frozen=True)
class Machine:
    """What a sandbox's configuration takes from the host. Empty: nothing of it."""

    processors: tuple[int, ...] = ()
    lxcfs: Path | None = None


NO_MACHINE = Machine()


def this_machine() -> Machine:
    """What is there now. lxcfs only where the operator runs it: one process of the host then answers every sandbox's reads."""
    return Machine(processors=tuple(sorted(os.sched_getaffinity(0))), lxcfs=LXCFS if _answers(LXCFS) else None)


def _answers(lxcfs: Path) -> bool:
    try:
        return bool((lxcfs / "proc" / "meminfo").read_bytes())
    except OSError:
        return False


def share(machine: Machine, slot: Slot, cpus: float) -> str:
    """The processors a sandbox of `cpus` runs on, as a cpuset list: so that `nproc` and every runtime's thread pool see their number.

    By slot, so that neighbours start on different ones. Empty where that would be all of them: then nothing has to be said.
    """
    count, have = ceil(cpus), len(machine.processors)
    if count >= have:
        return ""
    first = slot.number * count % have
    return ",".join(str(machine.processors[(first + number) % have]) for number in range(count))


def widen_inotify() -> None:
    """Raise the host's inotify limits to what all sandboxes together may use, where they are lower.

    A user namespace's use counts for its maker too, which is root: at the usual 128 instances one learner could take them all.
    """
    for name, own in INOTIFY.items():
        # The same numbers as /proc/sys/user has, but writable without CAP_SYS_RESOURCE.
        setting = Path("/proc/sys/fs/inotify") / name.replace("_inotify_", "_user_")
        if int(setting.read_text()) < own * len(SLOTS):
            setting.write_text(str(own * len(SLOTS)))
