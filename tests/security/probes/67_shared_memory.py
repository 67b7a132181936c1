"""Attack: take memory by System V segments, which outlive their makers
Source: shmget(2)
Profiles: basic docker
Weakening: limits
Sandbox: alone
"""

import ctypes

from probe import FACTS, call, held, in_child, worked

SIZE = FACTS["memory"] * 5 // 4
identifier, code = call("shmget", 0, SIZE, 0o1600)
if identifier < 0:
    held(f"shmget: errno {code}")


def touch() -> int:
    address, _ = call("shmat", identifier, 0, 0)
    ctypes.memset(ctypes.c_void_p(address), 1, SIZE)
    return 0


status = in_child(touch, 20)
call("shmctl", identifier, 0, 0)
if status == 0:
    worked("a quarter more than the limit was taken")
held(f"the child ended with {status}")
