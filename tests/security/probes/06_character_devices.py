"""Attack: open the host's kmsg, KVM, FUSE, TUN, loop-control, memory by a node of one's own
Source: mknod(2); Documentation/admin-guide/devices.txt
Profiles: basic docker
Weakening: rootful devices
"""

import os
from pathlib import Path

from probe import held, worked

NUMBERS = {"mem": (1, 1), "port": (1, 4), "kmsg": (1, 11), "loop-control": (10, 237), "kvm": (10, 232), "fuse": (10, 229),
           "tun": (10, 200), "vhost-net": (10, 238), "vhost-vsock": (10, 241), "console": (5, 1), "tty1": (4, 1)}  # fmt: skip
node, opened = Path("/root/node"), []
for name, (major, minor) in NUMBERS.items():
    node.unlink(missing_ok=True)
    try:
        os.mknod(node, 0o600 | 0o020000, os.makedev(major, minor))
        os.close(os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError:
        continue
    opened.append(name)
if opened:
    worked(", ".join(opened))
held(f"none of {len(NUMBERS)} devices opens")
