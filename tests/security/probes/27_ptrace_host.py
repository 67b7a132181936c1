"""Attack: trace a process of the host's
Source: ptrace(2); pid_namespaces(7)
Profiles: basic docker
Weakening: rootful hostpid
"""

import os
from pathlib import Path

from probe import FACTS, call, held, in_child, worked

for entry in Path("/proc").glob("[0-9]*"):
    try:
        words = (entry / "cmdline").read_bytes()
    except OSError:
        continue
    if FACTS["decoy"].encode() in words and int(entry.name) != os.getpid() and b"python" not in words:
        code = in_child(lambda entry=entry: call("ptrace", 0x4206, int(entry.name), 0, 0)[1])  # PTRACE_SEIZE: does not stop it
        worked(f"the host's process {entry.name} is seen; PTRACE_SEIZE gives errno {code}")
held("no process of the host has a number here")
