"""Attack: CVE-2022-0847 (Dirty Pipe) and CVE-2008-0600: pages spliced into pipes
Source: https://dirtypipe.cm4all.com/
Profiles: basic docker
Weakening: seccomp
"""

import os

from probe import held, refused

read, write = os.pipe()
held(refused("vmsplice", write, 0, 0, 0))
