"""Attack: serve a file system of one's own to the kernel (CVE-2023-0386 copied a setuid file up from one)
Source: https://nvd.nist.gov/vuln/detail/CVE-2023-0386
Profiles: basic docker
Weakening: rootful devices
"""

import os
from pathlib import Path

from probe import call, held, worked

node, place = Path("/root/fuse"), Path("/root/place")
place.mkdir(exist_ok=True)
node.unlink(missing_ok=True)
try:
    os.mknod(node, 0o020600, os.makedev(10, 229))
    descriptor = os.open(node, os.O_RDWR)
except OSError as error:
    held(f"/dev/fuse: {error.strerror}")
options = f"fd={descriptor},rootmode=40000,user_id=0,group_id=0".encode()
code = call("mount", b"probe", str(place).encode(), b"fuse", 0, options)[1]
if code == 0:
    call("umount2", str(place).encode(), 2)
worked(f"/dev/fuse opens; mount gives errno {code}")
