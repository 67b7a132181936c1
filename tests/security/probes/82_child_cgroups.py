"""Attack: make control groups without end (each costs the host memory)
Source: cgroup-v2.rst, cgroup.max.descendants; version 1 has no such limit
Profiles: basic
Weakening: cgroupsrw
"""

from pathlib import Path

from probe import held, worked

# The docker profile must make groups; on version 1 the engine counts them from outside and ends a sandbox with too many.
made = []
for root in [*Path("/sys/fs/cgroup").glob("*/"), Path("/sys/fs/cgroup")]:
    try:
        (root / "probe").mkdir()
    except OSError:
        continue
    made.append(root / "probe")
for group in made:
    group.rmdir()
if made:
    worked(", ".join(map(str, made)))
held("no group can be made")
