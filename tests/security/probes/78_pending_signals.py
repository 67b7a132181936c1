"""Attack: take kernel memory by timers, each with a signal set aside
Source: timer_create(2), RLIMIT_SIGPENDING
Profiles: basic docker
Weakening: rlimits
"""

import ctypes

from probe import FACTS, call, held, in_child, worked


def take() -> int:
    identifier, made = ctypes.c_int(), 0
    while made <= FACTS["sigpending"] and call("timer_create", 0, 0, ctypes.byref(identifier))[1] == 0:
        made += 1
    return int(made > FACTS["sigpending"])


if in_child(take) == 1:
    worked(f"more than {FACTS['sigpending']} timers")
held(f"at most {FACTS['sigpending']} timers")
