"""Attack: make network namespaces without end (each costs kernel memory)
Source: namespaces(7), /proc/sys/user
Profiles: basic docker
Weakening: counts seccomp caps limits
Sandbox: alone
"""

import os
import signal

from probe import call, held, worked

BOUND = 64
children, made = [], 0
for _ in range(BOUND + 16):
    read, write = os.pipe()
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        os.write(write, b"y" if call("unshare", 0x40000000)[1] == 0 else b"n")
        signal.pause()
    made += os.read(read, 1) == b"y"
    os.close(read)
    os.close(write)
    children.append(child)
for child in children:
    os.kill(child, 9)
    os.waitpid(child, 0)
if made > BOUND:
    worked(f"{made} network namespaces")
held(f"{made} network namespaces")
