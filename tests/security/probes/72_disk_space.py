"""Attack: write more than the disk's size
Source: fallocate(2); the sparse image is the limit
Profiles: basic docker
Weakening: disk
"""

import os

from probe import FACTS, held, worked

places = ["/root", "/var/lib/docker"] if os.path.isdir("/var/lib/docker") else ["/root"]  # noqa: PTH112
for place in places:
    descriptor = os.open(f"{place}/fill", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, FACTS["disk"] + (1 << 20))
    except OSError:
        continue
    finally:
        os.close(descriptor)
        os.unlink(f"{place}/fill")  # noqa: PTH108
    worked(f"{place} takes more than the limit")
held(f"{', '.join(places)}: no space left")
