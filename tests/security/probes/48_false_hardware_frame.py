"""Attack: send under another's hardware address (MAC spoofing)
Source: https://attack.mitre.org/techniques/T1557/
Profiles: basic docker
Weakening: firewall caps seccomp
"""

from probe import FACTS, frame_answered, held, ipv4, worked

victim = bytes.fromhex(FACTS["neighbour_mac"].replace(":", ""))
packet = ipv4(FACTS["own"], FACTS["neighbour"], b"FRAME-false-hardware".ljust(60, b"\0"))
if frame_answered(victim + bytes.fromhex("0260ee00ee01") + b"\x08\x00" + packet, b"FRAME-false-hardware"):
    worked("a frame under a false hardware address arrived")
held("it did not arrive, or no packet socket can be made")
