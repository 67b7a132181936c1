"""Attack: make a user namespace by clone3, whose flags seccomp cannot see
Source: https://github.com/moby/moby/pull/42681
Profiles: basic docker
Weakening: seccomp counts
"""

import ctypes
import errno
import os
import struct

from probe import call, held, worked

arguments = ctypes.create_string_buffer(struct.pack("8Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0))
result, code = call("clone3", ctypes.byref(arguments), 64)
if result == 0:
    os._exit(0)
if result > 0:
    os.waitpid(result, 0)
    worked("clone3 made a user namespace")
if code == errno.ENOSYS:
    held("clone3: ENOSYS")
worked(f"clone3 reached the kernel: errno {code}")
