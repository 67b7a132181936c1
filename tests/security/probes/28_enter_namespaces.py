"""Attack: enter the namespaces of a process of the host's
Source: setns(2)
Profiles: basic docker
Weakening: rootful hostpid
"""

import os
from pathlib import Path

from probe import call, held, in_child, worked

own = {kind: str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("mnt", "net", "uts", "ipc")}


def enter(entry: Path, kind: str) -> int:
    return call("setns", os.open(entry / "ns" / kind, os.O_RDONLY), 0)[1]


seen = 0
for entry in sorted(Path("/proc").glob("[0-9]*")):
    for kind, name in own.items():
        try:
            if str((entry / "ns" / kind).readlink()) == name:
                continue
        except OSError:
            continue
        seen += 1
        if in_child(lambda entry=entry, kind=kind: enter(entry, kind)) == 0:
            worked(f"entered {kind} of process {entry.name}")
held(f"{seen} foreign namespaces in sight, none entered")
