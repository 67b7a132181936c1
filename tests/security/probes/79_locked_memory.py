"""Attack: lock more memory than one may
Source: mlock(2), RLIMIT_MEMLOCK
Profiles: basic docker
Weakening: rootful
"""

from probe import call, held, libc, worked

SIZE = 16 << 20
page = libc.mmap(None, SIZE, 3, 0x22, -1, 0)
code = call("mlock", page, SIZE)[1]
if code == 0:
    worked("16 MiB locked")
held(f"mlock of 16 MiB: errno {code}")
