"""Attack: reach the host by its other addresses
Source: weak host model, RFC 1122 section 3.3.4.2
Profiles: basic docker
Weakening: firewall
"""

from probe import FACTS, greeted, held, worked

for address in FACTS["host_addresses"]:
    if greeted(address, FACTS["port"]):
        worked(f"the host answers at {address}")
held(f"{len(FACTS['host_addresses'])} addresses of the host: no answer")
