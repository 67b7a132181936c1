"""Attack: mount file systems that show the kernel's inside: debugfs, tracefs, securityfs
Source: mount(2); user_namespaces(7), FS_USERNS_MOUNT
Profiles: basic docker
Weakening: rootful
"""

from pathlib import Path

from probe import call, held, worked

place = Path("/root/place")
place.mkdir(exist_ok=True)
for kind in ("debugfs", "tracefs", "securityfs", "pstore", "configfs"):
    if call("mount", b"none", str(place).encode(), kind.encode(), 0, b"")[1] == 0:
        call("umount2", str(place).encode(), 2)
        worked(f"{kind} was mounted")
held("none can be mounted")
