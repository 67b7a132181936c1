"""Attack: CVE-2024-21626: a descriptor of the runtime's leads into the host's tree
Source: https://nvd.nist.gov/vuln/detail/CVE-2024-21626
Profiles: basic docker
Weakening: descriptor
"""

from probe import foreign_descriptors, held, worked

found = list(foreign_descriptors())
if found:
    worked(", ".join(found))
held("no descriptor leads out")
