"""Attack: CVE-2016-0728: the session keyring's reference count; keyrings are not namespaced
Source: https://nvd.nist.gov/vuln/detail/CVE-2016-0728
Profiles: basic docker
Weakening: seccomp
"""

from probe import held, refused

held(refused("keyctl", 1, b"probe"))
