"""Attack: reach machines of the private network the host is in
Source: RFC 1918
Profiles: basic docker
Weakening: firewall
"""

from probe import FACTS, greeted, held, worked

if greeted(FACTS["private"], FACTS["port"]):
    worked(f"{FACTS['private']} answers")
held(f"{FACTS['private']}: no answer")
