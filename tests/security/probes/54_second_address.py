"""Attack: take a neighbour's or a free address and be served under it
Source: RFC 2827 (BCP 38)
Profiles: basic docker
Weakening: firewall caps seccomp
"""

from probe import FACTS, greeted, held, interface, worked

if not greeted(FACTS["gateway"], FACTS["registry_port"]):
    raise SystemExit("the registry does not answer even under the own address")
if not interface("eth0:1", FACTS["free"]):
    held("no second address may be set")
if greeted(FACTS["gateway"], FACTS["registry_port"], FACTS["free"]):
    worked("served under a false address")
held("nothing is answered under a false address")
