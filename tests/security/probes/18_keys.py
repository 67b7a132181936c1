"""Attack: fill the kernel's key quota, or leave a key for the next learner
Source: keyrings(7)
Profiles: basic docker
Weakening: seccomp
"""

from probe import held, refused

answers = [refused("add_key", b"user", b"probe", b"x", 1, -2), refused("request_key", b"user", b"probe", 0, -2)]
held("; ".join(answers))
