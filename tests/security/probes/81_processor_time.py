"""Attack: use more processor time than the limit
Source: sched-bwc.rst (CFS bandwidth control)
Profiles: basic docker
Weakening: cpus
Sandbox: alone
"""

import os
import time

from probe import FACTS, held, worked

SECONDS, TRIES = 0.7, 4  # a busy host may leave less than the limit for one try


def share() -> float:
    """Processors that two busy processes get."""
    workers = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                pass
            os._exit(0)
        workers.append(child)
    begun, used = time.monotonic(), 0.0
    for _ in workers:
        _, _, usage = os.wait3(0)
        used += usage.ru_utime + usage.ru_stime
    return used / (time.monotonic() - begun)


most = max(share() for _ in range(TRIES))
if most > FACTS["cpus"] * 1.3 + 0.1:
    worked(f"{most:.2f} processors, {FACTS['cpus']} allowed")
held(f"{most:.2f} processors, {FACTS['cpus']} allowed")
