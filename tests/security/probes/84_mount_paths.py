"""Attack: learn the host's paths from the mount table
Source: proc(5), /proc/pid/mountinfo
Profiles: basic docker
Weakening: hostpaths
"""

from pathlib import Path

from probe import FACTS, held, worked

for name in ("self/mountinfo", "self/mounts", "self/mountstats", "1/mountinfo", "self/maps"):
    text = Path(f"/proc/{name}").read_text()
    for secret in FACTS["secrets"]:
        if secret in text:
            worked(f"/proc/{name} shows {secret}")
held("no path of the host")
