"""Attack: open more files than one may
Source: setrlimit(2), RLIMIT_NOFILE
Profiles: basic docker
Weakening: promises
"""

import contextlib
import os
import resource

from probe import FACTS, held, worked

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
with contextlib.suppress(OSError, ValueError):
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard + 1, hard + 1))
opened = []
try:
    while len(opened) <= FACTS["nofile"]:
        opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for descriptor in opened:
    os.close(descriptor)
if len(opened) > FACTS["nofile"]:
    worked(f"{len(opened)} open files")
held(f"{len(opened)} open files in one process")
