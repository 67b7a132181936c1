"""Attack: open a performance counter (CVE-2013-2094)
Source: https://nvd.nist.gov/vuln/detail/CVE-2013-2094
Profiles: basic docker
Weakening: seccomp
"""

import ctypes
import struct

from probe import held, refused

# A software clock of this very process, in user space only: what the kernel gives anyone if seccomp lets them ask.
attributes = ctypes.create_string_buffer(struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 1 << 5 | 1 << 6).ljust(112, b"\0"))
held(refused("perf_event_open", ctypes.byref(attributes), 0, -1, -1, 0))
