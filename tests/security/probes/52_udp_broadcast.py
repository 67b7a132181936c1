"""Attack: find neighbours by UDP broadcast and multicast
Source: RFC 919, RFC 6762
Profiles: basic docker
Weakening: firewall
"""

from probe import FACTS, echoed, held, worked

for address in ("255.255.255.255", FACTS["broadcast"], "224.0.0.251", "224.0.0.1"):
    if echoed(address, broadcast=True):
        worked(f"a neighbour answered {address}")
held("nobody answers")
