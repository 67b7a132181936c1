"""Attack: watch a whole mount
Source: fanotify_init(2)
Profiles: basic docker
Weakening: seccomp
"""

from probe import held, refused

held(refused("fanotify_init", 0x200, 0))
