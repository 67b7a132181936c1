"""Attack: load an eBPF program (CVE-2021-3490: the verifier)
Source: https://nvd.nist.gov/vuln/detail/CVE-2021-3490
Profiles: basic docker
Weakening: rootful
"""

import ctypes
import errno
import struct

from probe import call, held, worked

attributes = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 8, 1).ljust(128, b"\0"))
result, code = call("bpf", 0, ctypes.byref(attributes), 128)
if result >= 0:
    worked("a BPF map was made")
held(f"bpf: {errno.errorcode[code]}")
