"""Attack: switch off address randomisation's friends: READ_IMPLIES_EXEC
Source: personality(2)
Profiles: basic docker
Weakening: seccomp
"""

from probe import held, refused

held(refused("personality", 0x0400000))
