"""Attack: open any file of the file system by its handle, outside the mount namespace (shocker.c, 2014)
Source: http://stealth.openwall.net/xSports/shocker.c; open_by_handle_at(2)
Profiles: basic docker
Weakening: rootful
"""

import ctypes
import os
import struct
from pathlib import Path

from probe import call, held, worked

Path("/dev/shm/target").write_text("x")
handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
mount_id = ctypes.c_int()
call("name_to_handle_at", -100, b"/dev/shm/target", ctypes.byref(handle), ctypes.byref(mount_id), 0)
descriptor = os.open("/dev/shm", os.O_RDONLY)
result, code = call("open_by_handle_at", descriptor, ctypes.byref(handle), os.O_RDONLY)
if result >= 0:
    worked("a file was opened by its handle")
held(f"open_by_handle_at: errno {code}")
