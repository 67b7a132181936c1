"""Attack: take every pseudo-terminal of the host
Source: pty(7), kernel.pty.max; Documentation/filesystems/devpts.rst
Profiles: basic docker
Weakening: ptys
"""

import os

from probe import held, worked

opened = []
try:
    while len(opened) < 80:
        opened.extend(os.openpty()[:1])
except OSError:
    pass
for descriptor in opened:
    os.close(descriptor)
if len(opened) > 64:
    worked(f"{len(opened)} terminals")
held(f"{len(opened)} terminals")
