"""Attack: fill kernel memory by empty files in tmpfs
Source: tmpfs(5), "nr_inodes"
Profiles: basic docker
Weakening: tmpfs
"""

import os

from probe import held, worked

inodes = {place: os.statvfs(place).f_files for place in ("/tmp", "/run", "/dev")}
if max(inodes.values()) > 40_000 or sum(inodes.values()) > 50_000:
    worked(str(inodes))
held(str(inodes))
