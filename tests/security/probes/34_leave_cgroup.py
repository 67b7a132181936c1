"""Attack: move oneself into the parent group, where no limit is
Source: cgroup_namespaces(7)
Profiles: basic docker
Weakening: rootful hostcgroup
"""

import os
from pathlib import Path

from probe import call, held, in_child, worked


def leave() -> int:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers != "memory":
            continue
        for root in (Path("/sys/fs/cgroup/memory"), Path("/root/memory")):
            parent = root / Path(path).parent.relative_to("/") if path != "/" else root / ".."
            try:
                (parent / "cgroup.procs").write_text(str(os.getpid()))
            except OSError:
                continue
            if line not in Path("/proc/self/cgroup").read_text().splitlines():
                return 1
    return 0


Path("/root/memory").mkdir(exist_ok=True)
call("mount", b"cgroup", b"/root/memory", b"cgroup", 0, b"memory")
status = in_child(leave)
call("umount2", b"/root/memory", 2)
if status == 1:
    worked("a process left its memory limit")
held("no group above this one is in reach")
