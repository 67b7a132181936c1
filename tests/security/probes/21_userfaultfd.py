"""Attack: stop the kernel in the middle of a copy, to win races (CVE-2016-6516 and many more)
Source: userfaultfd(2)
Profiles: basic docker
Weakening: seccomp
"""

from probe import held, refused

held(refused("userfaultfd", 1))
