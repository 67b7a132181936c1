"""Attack: hop into another VLAN with a tagged frame
Source: IEEE 802.1Q; https://attack.mitre.org/techniques/T1599/
Profiles: basic docker
Weakening: firewall caps seccomp
"""

from probe import FACTS, frame_answered, hardware_address, held, ipv4, worked

victim = bytes.fromhex(FACTS["neighbour_mac"].replace(":", ""))
packet = ipv4(FACTS["own"], FACTS["neighbour"], b"FRAME-vlan----------".ljust(60, b"\0"))
for tag in (b"\x81\x00\x00\x05", b"\x88\xa8\x00\x05\x81\x00\x00\x05"):
    if frame_answered(victim + hardware_address() + tag + b"\x08\x00" + packet, b"FRAME-vlan----------"):
        worked("a tagged frame arrived")
held("none arrived, or no packet socket can be made")
