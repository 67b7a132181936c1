"""Attack: send a raw frame to a neighbour's hardware address
Source: bridge(8), "isolated"
Profiles: basic docker
Weakening: firewall caps seccomp
"""

from probe import FACTS, frame_answered, hardware_address, held, ipv4, worked

victim = bytes.fromhex(FACTS["neighbour_mac"].replace(":", ""))
packet = ipv4(FACTS["own"], FACTS["neighbour"], b"FRAME-to-neighbour--".ljust(60, b"\0"))
if frame_answered(victim + hardware_address() + b"\x08\x00" + packet, b"FRAME-to-neighbour--"):
    worked("the frame arrived")
held("the frame did not arrive, or no packet socket can be made")
