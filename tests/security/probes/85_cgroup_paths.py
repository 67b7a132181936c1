"""Attack: learn the host's control group paths
Source: cgroup_namespaces(7)
Profiles: basic docker
Weakening: hostcgroup
"""

from pathlib import Path

from probe import FACTS, held, worked

for name in ("self/cgroup", "1/cgroup"):
    text = Path(f"/proc/{name}").read_text()
    if FACTS["cgroup"] in text:
        worked(f"/proc/{name} shows {FACTS['cgroup']}")
held("every path is relative to this sandbox's own group")
