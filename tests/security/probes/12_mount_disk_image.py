"""Attack: have the kernel parse a forged ext4, xfs or squashfs image
Source: https://lwn.net/Articles/652468/ (Unprivileged mounts of block devices)
Profiles: basic docker
Weakening: rootful devices
"""

import errno
import os
from pathlib import Path

from probe import call, held, worked

place, node = Path("/root/place"), Path("/root/loopnode")
place.mkdir(exist_ok=True)
node.unlink(missing_ok=True)
try:
    os.mknod(node, 0o060600, os.makedev(7, 255))
except OSError:
    node.write_bytes(bytes(4096))
answers = []
for kind in ("ext4", "xfs", "squashfs", "vfat"):
    code = call("mount", str(node).encode(), str(place).encode(), kind.encode(), 1, b"")[1]
    answers.append(errno.errorcode.get(code, "mounted"))
    # ENXIO, EIO, EINVAL: the kernel went as far as opening the device or reading it.
    if code in (0, errno.ENXIO, errno.EIO, errno.EINVAL):
        worked(f"{kind}: the kernel tried ({answers[-1]})")
held(", ".join(answers))
