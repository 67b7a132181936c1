"""Attack: change the own hardware address and go on
Source: netdevice(7)
Profiles: basic docker
Weakening: firewall caps seccomp
"""

import time
from pathlib import Path

from probe import FACTS, greeted, held, interface, worked

own = Path("/sys/class/net/eth0/address").read_text().strip()
if not interface("hardware", "02:60:ee:00:ee:02"):
    held("the hardware address cannot be changed")
try:
    served = greeted(FACTS["gateway"], FACTS["registry_port"]) or greeted(FACTS["gateway"], FACTS["port"])
finally:
    interface("hardware", own)
    time.sleep(0.05)
if served:
    worked("served under a false hardware address")
held("nothing is answered under a false hardware address")
