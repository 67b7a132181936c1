"""Attack: fill memory by files in the tmpfs mounts together
Source: tmpfs(5)
Profiles: basic docker
Weakening: limits tmpfs
Sandbox: alone
"""

import os
from pathlib import Path

from probe import FACTS, held, in_child, worked

PLACES = ("/tmp", "/dev/shm", "/run", "/dev")


def fill() -> int:
    block, total = b"x" * (1 << 20), 0
    for place in PLACES:
        try:
            with open(f"{place}/fill", "wb", buffering=0) as file:  # noqa: PTH123
                while total < FACTS["memory"]:
                    total += file.write(block)
        except OSError:
            continue
    return int(total >= FACTS["memory"])


status = in_child(fill, 20)
for place in PLACES:
    Path(f"{place}/fill").unlink(missing_ok=True)
sizes = sum(os.statvfs(place).f_blocks * os.statvfs(place).f_frsize for place in PLACES)
if status == 1 or sizes > (256 << 20):
    worked(f"{sizes >> 20} MiB of tmpfs")
held(f"{sizes >> 20} MiB of tmpfs at most; the filling child ended with {status}")
