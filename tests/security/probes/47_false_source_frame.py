"""Attack: send under another's address (IP spoofing) on the bridge
Source: RFC 2827 (BCP 38)
Profiles: basic docker
Weakening: firewall caps seccomp
"""

from probe import FACTS, frame_answered, hardware_address, held, ipv4, worked

victim = bytes.fromhex(FACTS["neighbour_mac"].replace(":", ""))
packet = ipv4(FACTS["gateway"], FACTS["neighbour"], b"FRAME-false-source--".ljust(60, b"\0"))
if frame_answered(victim + hardware_address() + b"\x08\x00" + packet, b"FRAME-false-source--"):
    worked("a packet under the gateway's address arrived")
held("it did not arrive, or no packet socket can be made")
