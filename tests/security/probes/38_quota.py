"""Attack: read and change file system quotas
Source: quotactl(2)
Profiles: basic docker
Weakening: seccomp
"""

from probe import held, refused

held(refused("quotactl", 0x80000100, 0, 0, 0))
