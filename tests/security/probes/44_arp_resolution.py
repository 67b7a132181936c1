"""Attack: learn a neighbour's hardware address by ARP
Source: RFC 826
Profiles: basic docker
Weakening: firewall
"""

from pathlib import Path

from probe import FACTS, echoed, held, worked

echoed(FACTS["neighbour"])
for line in Path("/proc/net/arp").read_text().splitlines()[1:]:
    fields = line.split()
    if fields[0] == FACTS["neighbour"] and int(fields[2], 16) & 2:
        worked(f"{fields[0]} is at {fields[3]}")
held("the neighbour does not exist in ARP")
