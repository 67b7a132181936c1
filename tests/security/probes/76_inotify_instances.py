"""Attack: take every inotify instance of the host's root, which all sandboxes' maker counts against
Source: inotify(7); namespaces(7): a child's use counts in its parents too
Profiles: basic docker
Weakening: counts
"""

import os

from probe import FACTS, call, held, worked

opened = []
for _ in range(FACTS["inotify"] + 64):
    descriptor, code = call("inotify_init1", 0)
    if code:
        break
    opened.append(descriptor)
for descriptor in opened:
    os.close(descriptor)
if len(opened) > FACTS["inotify"]:
    worked(f"{len(opened)} instances")
held(f"{len(opened)} instances")
