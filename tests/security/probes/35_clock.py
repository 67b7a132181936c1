"""Attack: set the host's clock
Source: settimeofday(2)
Profiles: basic docker
Weakening: rootful
"""

import ctypes
import struct

from probe import held, refused

# Only the time zone, and the one that is set: nothing changes where it succeeds.
held(refused("settimeofday", 0, ctypes.byref(ctypes.create_string_buffer(struct.pack("ii", 0, 0)))))
