"""Attack: make processes without end
Source: :(){ :|:& };:, and cgroup-v1/pids.rst
Profiles: basic docker
Weakening: limits
Sandbox: alone
"""

import os
import signal

from probe import FACTS, held, worked

children: list[int] = []
try:
    while len(children) <= FACTS["pids"]:
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
except BlockingIOError:
    pass
for child in children:
    os.kill(child, 9)
    os.waitpid(child, 0)
if len(children) > FACTS["pids"]:
    worked(f"{len(children)} processes")
held(f"{len(children)} processes, then EAGAIN")
