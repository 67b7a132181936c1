"""Attack: take more memory than the limit
Source: cgroup-v1/memory.rst
Profiles: basic docker
Weakening: limits
Sandbox: alone
"""

from probe import FACTS, held, in_child, worked


def take() -> int:
    hold = []
    for _ in range(FACTS["memory"] // (1 << 20) * 5 // 4):
        hold.append(bytearray(b"x") * (1 << 20))
    return 0


status = in_child(take, 20)
if status == 0:
    worked("a quarter more than the limit was taken")
held(f"the child ended with {status}")
