"""Attack: starve the neighbours of the host's processor with small packets
Source: nft(8), "limit"
Profiles: basic docker
Weakening: firewall
Sandbox: alone
"""

import contextlib
import socket
import time

from probe import FACTS, held, worked

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect((FACTS["world"], FACTS["port"]))
client.settimeout(0.5)


def arrived() -> int:
    """How many datagrams the machine outside has seen; it answers on a flow that is known already."""
    for _ in range(20):  # the question may be among what is dropped
        client.send(b"COUNT")
        with contextlib.suppress(TimeoutError):
            return int(client.recv(64))
    raise TimeoutError("the machine outside does not answer")


before, sent, end = arrived(), 0, time.monotonic() + 0.5
while time.monotonic() < end:
    # A flow each: what is to be bounded is the host's new connections.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
        flow.connect((FACTS["world"], FACTS["port"]))
        flow.send(b"x")
        sent += 1
seen = arrived() - before
if seen > FACTS["flows"]:
    worked(f"{seen} of {sent} new flows in half a second passed")
held(f"{seen} of {sent} new flows in half a second passed")
