"""Attack: connect to a neighbour's server
Source: bridge(8), "isolated"
Profiles: basic docker
Weakening: firewall
"""

from probe import FACTS, greeted, held, worked

if greeted(FACTS["neighbour"], FACTS["port"]):
    worked("the neighbour's server answers")
held("no answer")
