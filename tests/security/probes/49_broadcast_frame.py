"""Attack: reach every neighbour with one broadcast frame
Source: bridge(8), "bcast_flood"
Profiles: basic docker
Weakening: firewall caps seccomp
"""

from probe import FACTS, frame_answered, hardware_address, held, ipv4, worked

packet = ipv4(FACTS["own"], "255.255.255.255", b"FRAME-broadcast-----".ljust(60, b"\0"))
if frame_answered(b"\xff" * 6 + hardware_address() + b"\x08\x00" + packet, b"FRAME-broadcast-----"):
    worked("a broadcast arrived")
held("it did not arrive, or no packet socket can be made")
