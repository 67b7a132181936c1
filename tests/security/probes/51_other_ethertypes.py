"""Attack: speak protocols the firewall does not look into: LLDP, IPv6, MPLS, PPPoE
Source: ether(5), IEEE 802 numbers
Profiles: basic docker
Weakening: firewall caps seccomp
"""

from probe import FACTS, frame_answered, hardware_address, held, worked

victim = bytes.fromhex(FACTS["neighbour_mac"].replace(":", ""))
for kind in (b"\x88\xcc", b"\x86\xdd", b"\x88\x47", b"\x88\x63", b"\x88\xb5"):
    if frame_answered(victim + hardware_address() + kind + b"FRAME-ethertype-----".ljust(60, b"\0"), b"FRAME-ethertype-----"):
        worked(f"ethertype {kind.hex()} arrived")
held("none arrived, or no packet socket can be made")
