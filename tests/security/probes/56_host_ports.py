"""Attack: reach servers of the host's on the bridge's address
Source: nft(8); the issue: default deny to host services
Profiles: basic docker
Weakening: firewall
"""

from probe import FACTS, greeted, held, worked

if greeted(FACTS["gateway"], FACTS["port"]):
    worked("a server of the host's answers on the bridge")
held("only the registry's port is open")
