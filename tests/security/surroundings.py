"""What the probes aim at: servers on the host, and a machine beyond it with a public, a private and a metadata address."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address

import psutil

from engine.runtime.host import Host
from engine.runtime.network import REGISTRY_PORT

IP = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin") or "ip"
PORT, MAIL, SITE_PORT = 8099, 25, 8098
WORLD, PRIVATE, METADATA = "11.22.44.2", "172.31.244.2", "169.254.169.254"
OUTER = {WORLD: "11.22.44.1/24", PRIVATE: "172.31.244.1/24", METADATA: "169.254.169.253/30"}
DECOY = "86399.5"  # a sleep of the host's, known by its argument
ABSTRACT = "playground-probe"

WORLD_SERVER = f"""
import select, socket
tcp = [socket.create_server(("", port)) for port in ({PORT}, {MAIL})]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
udp.bind(("", {PORT}))
print("up", flush=True)
seen = 0
while True:
    for source in select.select([udp, *tcp], [], [])[0]:
        if source is udp:
            data, sender = udp.recvfrom(64)
            if data == b"COUNT":
                udp.sendto(str(seen).encode(), sender)
            else:
                seen += 1
        else:
            connection, _ = source.accept()
            connection.sendall(b"welcome\\n")
            connection.close()
"""


# Keeps each connection until its client closes it: that many are open at once. A process of its own, for its many descriptors.
HOST_SERVER = f"""
import selectors, socket, sys
def listen(address, port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    return server
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\\0{ABSTRACT}")
watched = selectors.EpollSelector()
for server in (listen("0.0.0.0", {PORT}), listen(sys.argv[1], {REGISTRY_PORT}), listen("127.0.0.1", {SITE_PORT}), abstract):
    server.listen(4096)
    watched.register(server, selectors.EVENT_READ, True)
print("up", flush=True)
while True:
    for key, _ in watched.select():
        try:
            if key.data:
                connection, _ = key.fileobj.accept()
                watched.register(connection, selectors.EVENT_READ, False)
                connection.sendall(b"welcome\\n")
            elif not key.fileobj.recv(100):
                watched.unregister(key.fileobj)
                key.fileobj.close()
        except ConnectionError:
            if not key.data:
                watched.unregister(key.fileobj)
                key.fileobj.close()
"""


def host_addresses() -> list[str]:
    """Every IPv4 address of the host but loopback."""
    found = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries if entry.family == socket.AF_INET]
    return [address for address in found if not IPv4Address(address).is_loopback]


def _serve(undo: ExitStack, *argv: str) -> None:
    """Start a server, wait until it listens, and end it with the stack."""
    process = undo.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE))
    undo.callback(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"


@contextmanager
def targets(host: Host) -> Iterator[None]:
    """All of them up. Takes them down whatever happens."""

    def call(*words: str) -> None:
        subprocess.run([IP, *words], check=True, capture_output=True)

    with ExitStack() as undo:
        call("netns", "add", "pgprobe")
        undo.callback(call, "netns", "del", "pgprobe")
        call("link", "add", "pgprobe", "type", "veth", "peer", "name", "eth0", "netns", "pgprobe")
        undo.callback(call, "link", "del", "pgprobe")  # with its namespace it would go a moment later
        for inner, outer in OUTER.items():
            call("addr", "add", outer, "dev", "pgprobe")
            call("-n", "pgprobe", "addr", "add", f"{inner}/{outer.partition('/')[2]}", "dev", "eth0")
        call("link", "set", "pgprobe", "up")
        call("-n", "pgprobe", "link", "set", "eth0", "up")
        call("-n", "pgprobe", "route", "add", "default", "via", OUTER[WORLD].partition("/")[0])
        _serve(undo, IP, "netns", "exec", "pgprobe", sys.executable, "-c", WORLD_SERVER)
        decoy = undo.enter_context(subprocess.Popen(["sleep", DECOY]))
        undo.callback(decoy.kill)
        _serve(undo, sys.executable, "-c", HOST_SERVER, str(host.gateway))
        yield


def fixed_facts(host: Host) -> dict[str, object]:
    """What the probes are told of these targets, and of what they must not find."""
    return {
        "state": str(host.state),
        "secrets": [str(host.state), str(host.images.resolve()), host.cgroup, "sandboxes"],
        "environment": ["PLAYGROUND_", "DJANGO_"],
        "hostname": os.uname().nodename,
        "bridge": host.bridge,
        "cgroup": host.cgroup,
        "gateway": str(host.gateway),
        "broadcast": str(host.subnet.broadcast_address),
        "free": str(host.subnet[65000]),
        "host_addresses": [address for address in host_addresses() if address != str(host.gateway)],
        "registry_port": REGISTRY_PORT,
        "port": PORT,
        "site_port": SITE_PORT,
        "abstract": ABSTRACT,
        "decoy": DECOY,
        "world": WORLD,
        "private": PRIVATE,
        "metadata": METADATA,
    }
