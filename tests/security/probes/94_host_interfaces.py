"""Attack: learn the host's network: interfaces, routes, neighbours, connections
Source: network_namespaces(7)
Profiles: basic docker
Weakening: rootful hostnet
"""

from pathlib import Path

from probe import FACTS, held, worked

names = {entry.name for entry in Path("/sys/class/net").iterdir()}
names |= {line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]}
foreign = {name for name in names if name.startswith(("pg", "br", "eth1", "pgbr")) or name == FACTS["bridge"]}
if foreign:
    worked(", ".join(sorted(foreign)))
held(f"interfaces: {', '.join(sorted(names))}")
