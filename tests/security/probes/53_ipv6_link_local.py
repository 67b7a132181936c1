"""Attack: reach a neighbour by its IPv6 link-local address
Source: RFC 4862; CVE-2020-10749 and CVE-2020-13401: rogue router advertisements
Profiles: basic docker
Weakening: firewall caps seccomp ipv6
"""

import contextlib
import socket
import time
from pathlib import Path

from probe import FACTS, echoed, held, worked

for name in ("all", "default", "eth0"):
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("0")
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")
end = time.monotonic() + 3
while time.monotonic() < end:
    lines = [line.split() for line in Path("/proc/net/if_inet6").read_text().splitlines() if line.endswith("eth0")]
    if not lines or not int(lines[0][4], 16) & 0x40:  # off; or no longer tentative (RFC 4862, duplicate address detection)
        break
    time.sleep(0.05)
octets = bytes.fromhex(FACTS["neighbour_mac"].replace(":", ""))
eui = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("fe80000000000000") + eui)
for _ in range(4):
    if echoed(address, family=socket.AF_INET6) or echoed("ff02::1", family=socket.AF_INET6):
        worked(f"{address} answers")
held("no answer over IPv6")
