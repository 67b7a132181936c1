"""Attack: take a processor with real-time priority
Source: sched(7); ioprio_set(2)
Profiles: basic docker
Weakening: rootful
"""

import ctypes
import os

from probe import call, held, in_child, worked

FIFO, RR, DEADLINE = 1, 2, 6
taken = []
for policy in (FIFO, RR):
    priority = ctypes.c_int(1)
    if in_child(lambda policy=policy, priority=priority: min(call("sched_setscheduler", 0, policy, ctypes.byref(priority))[1], 98)) == 0:
        taken.append(f"policy {policy}")


def nicer() -> int:
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    return 0


if in_child(nicer) == 0:
    taken.append("nice -20")
if in_child(lambda: min(call("ioprio_set", 1, 0, 1 << 13)[1], 98)) == 0:
    taken.append("real-time I/O")
if taken:
    worked(", ".join(taken))
held("neither real-time classes nor a negative nice value")
