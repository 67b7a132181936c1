"""Attack: CVE-2022-0492: a cgroup v1 release_agent runs as root of the host
Source: https://nvd.nist.gov/vuln/detail/CVE-2022-0492
Profiles: basic docker
Weakening: rootful hostcgroup
"""

from pathlib import Path

from probe import call, held, rewritten, worked

place = Path("/root/cgroup")
place.mkdir(exist_ok=True)
# A host with version 2 only has none of its own: then a new one without controllers, as the attacker makes it.
hierarchies = [line.split(":")[1] for line in Path("/proc/self/cgroup").read_text().splitlines()]
hierarchies = [controllers for controllers in hierarchies if controllers] or ["none,name=probe"]
for controllers in hierarchies:
    if call("mount", b"cgroup", str(place).encode(), b"cgroup", 0, controllers.encode())[1] == 0:
        agent = rewritten(f"{place}/release_agent")
        call("umount2", str(place).encode(), 2)
        if agent:
            worked(f"release_agent of {controllers} can be written")
held(f"{len(hierarchies)} hierarchies: not mounted, or without a release_agent that may be written")
