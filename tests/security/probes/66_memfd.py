"""Attack: take memory that no process owns: memfd and shared memory
Source: memfd_create(2), sysvipc(7)
Profiles: basic docker
Weakening: limits
Sandbox: alone
"""

import os

from probe import FACTS, held, in_child, worked


def take() -> int:
    descriptor = os.memfd_create("probe")
    block = b"x" * (1 << 20)
    for _ in range(FACTS["memory"] // (1 << 20) * 5 // 4):
        os.write(descriptor, block)
    return 0


status = in_child(take, 20)
if status == 0:
    worked("a quarter more than the limit was taken")
held(f"the child ended with {status}")
