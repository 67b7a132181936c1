"""Attack: read the cloud's metadata service
Source: https://attack.mitre.org/techniques/T1552/005/
Profiles: basic docker
Weakening: firewall
"""

from probe import FACTS, greeted, held, worked

if greeted(FACTS["metadata"], FACTS["port"]):
    worked(f"{FACTS['metadata']} answers")
held(f"{FACTS['metadata']}: no answer")
