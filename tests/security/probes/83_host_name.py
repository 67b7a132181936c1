"""Attack: learn the host's name
Source: uts_namespaces(7)
Profiles: basic docker
Weakening: hostuts
"""

import os
from pathlib import Path

from probe import FACTS, held, worked

shown = {os.uname().nodename, Path("/proc/sys/kernel/hostname").read_text().strip(), Path("/etc/hostname").read_text().strip()}
if FACTS["hostname"] in shown:
    worked(f"{FACTS['hostname']} is shown")
held(f"shown: {', '.join(sorted(shown))}")
