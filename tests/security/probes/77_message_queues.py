"""Attack: take kernel memory by POSIX message queues
Source: mq_overview(7), RLIMIT_MSGQUEUE
Profiles: basic docker
Weakening: promises
"""

import ctypes
import os
import struct

from probe import FACTS, call, held, worked

attributes = ctypes.create_string_buffer(struct.pack("8q", 0, 10, 8192, 0, 0, 0, 0, 0))
opened = []
for number in range(64):
    descriptor, code = call("mq_open", f"probe{number}".encode(), os.O_CREAT | os.O_RDWR, 0o600, ctypes.byref(attributes))
    if code:
        break
    opened.append(descriptor)
for number, descriptor in enumerate(opened):
    os.close(descriptor)
    call("mq_unlink", f"probe{number}".encode())
taken = len(opened) * 10 * 8192
if taken > FACTS["msgqueue"]:
    worked(f"{taken} bytes of queues")
held(f"{taken} bytes of queues")
