"""Attack: read the engine's settings and secrets from an environment
Source: environ(7); CVE-2019-19921's class of leaks
Profiles: basic docker
Weakening: environment
"""

from pathlib import Path

from probe import FACTS, held, worked

for entry in Path("/proc").glob("[0-9]*/environ"):
    try:
        text = entry.read_bytes()
    except OSError:
        continue
    for word in FACTS["environment"]:
        if b"\0" + word.encode() in b"\0" + text:
            worked(f"{entry} shows {word}")
held("no variable of the engine's")
