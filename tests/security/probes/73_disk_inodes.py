"""Attack: fill the disk with empty files until the host's memory and disk hurt
Source: mke2fs(8), -N
Profiles: basic docker
Weakening: disk
"""

import os

from probe import FACTS, held, worked

inodes = os.statvfs("/").f_files
if inodes > FACTS["inodes"]:
    worked(f"{inodes} inodes")
held(f"{inodes} inodes at most")
