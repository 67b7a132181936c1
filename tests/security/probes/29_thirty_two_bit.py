"""Attack: go round the filter by the 32-bit system call entry
Source: seccomp(2), "SECCOMP_RET_...", "the architecture"
Profiles: basic docker
Weakening: seccomp
"""

import ctypes
import os

from probe import held, in_child, libc, worked


def by_interrupt() -> int:
    """getpid (20 in the 32-bit table) by int 0x80; 1 if it answers with our pid."""
    code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"
    page = libc.mmap(None, 4096, 7, 0x22, -1, 0)
    ctypes.memmove(page, code, len(code))
    answer = ctypes.CFUNCTYPE(ctypes.c_int)(page)()
    return int(answer == os.getpid())


status = in_child(by_interrupt)
if status == 1:
    worked("int 0x80 is answered")
held(f"int 0x80: the child ended with {status}")
