"""Attack: send a datagram to a neighbour
Source: bridge(8), "isolated"
Profiles: basic docker
Weakening: firewall
"""

from probe import FACTS, echoed, held, worked

if echoed(FACTS["neighbour"]):
    worked("the neighbour's echo answers")
held("no answer")
