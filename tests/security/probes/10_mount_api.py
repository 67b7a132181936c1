"""Attack: the new mount API (CVE-2022-0185 overflowed fsconfig from a user namespace)
Source: https://nvd.nist.gov/vuln/detail/CVE-2022-0185
Profiles: basic docker
Weakening: seccomp caps
"""

from probe import held, refused

held("; ".join([refused("fsopen", b"tmpfs", 0), refused("open_tree", -100, b"/", 1), refused("move_mount", -1, b"", -1, b"", 0)]))
