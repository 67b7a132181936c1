"""Attack: raise one's own limits by their files
Source: cgroups(7); cgroup-v2.rst, "Delegation"
Profiles: basic docker
Weakening: delegated
"""

from pathlib import Path

from probe import held, rewritten, worked

NAMES = ("memory.limit_in_bytes", "memory.max", "memory.high", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.cfs_quota_us",
         "cpu.max", "cpu.weight", "io.max", "devices.allow", "cpuset.cpus", "cgroup.max.descendants", "cgroup.max.depth")  # fmt: skip
found = [file for name in NAMES for file in Path("/sys/fs/cgroup").glob(f"*/{name}")]
found += [file for name in NAMES for file in Path("/sys/fs/cgroup").glob(name)]
own = Path("/sys/fs/cgroup") / Path("/proc/self/cgroup").read_text().split("0::")[-1].strip().lstrip("/")
found += [group / name for name in NAMES for group in (own, *own.parents) if (group / name).exists()]
written = [str(file) for file in found if rewritten(str(file))]
if written:
    worked(", ".join(written))
held(f"none of {len(found)} limit files can be written")
