"""Attack: fill the host's connection table (nf_conntrack: table full, dropping packet)
Source: Documentation/networking/nf_conntrack-sysctl.rst
Profiles: basic docker
Weakening: firewall
Sandbox: alone
"""

import select
import socket
import time

from probe import FACTS, held, worked

TRIES = FACTS["connections"] * 2
sockets = []
for _ in range(TRIES):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex((FACTS["gateway"], FACTS["registry_port"]))
    sockets.append(client)
poller = select.poll()
for client in sockets:
    poller.register(client, select.POLLIN)
answered: set[int] = set()
end = time.monotonic() + 3
while len(answered) < TRIES and (left := end - time.monotonic()) > 0:
    for descriptor, _ in poller.poll(left * 1000):
        answered.add(descriptor)
        poller.unregister(descriptor)
for client in sockets:
    client.close()
if len(answered) > FACTS["connections"]:
    worked(f"{len(answered)} connections at once")
if not answered:
    raise SystemExit("no connection at all: the probe would prove nothing")
held(f"{len(answered)} of {TRIES} connections at once")
