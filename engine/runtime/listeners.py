"""The TCP ports a sandbox listens on, asked of the kernel in the sandbox's network namespace.

Over sock_diag, which can leave out all but listening sockets: /proc/<pid>/net/tcp walks the host's whole connection table, 1 ms a file.
A sandbox's root may open any number of sockets, so no more than MOST are read; what is read was written by the kernel.

Sources: sock_diag(7), netlink(7); include/uapi/linux/inet_diag.h.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from engine.runtime import network, sandbox
from engine.runtime.errors import NoSuchSandbox
from engine.runtime.host import Host

MOST = 256  # sockets
BUFFER = 32 << 10  # bytes
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
NLM_F_REQUEST, NLM_F_DUMP, NLMSG_ERROR, NLMSG_DONE = 0x1, 0x300, 2, 3
TCP_LISTEN = 10
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
REQUEST = struct.Struct("=BBBxI48x")  # family, protocol, extensions, states, an empty socket id
MESSAGE = struct.Struct("=BBBB2s2s16s")  # family, state, timer, retransmissions, source port, destination port, source address


@dataclass(frozen=True, order=True)
class Listener:
    """`reachable`: from outside the sandbox, over its address. One on 127.0.0.1 is not."""

    port: int
    reachable: bool


def listeners(host: Host, sandbox_id: str) -> list[Listener]:
    """The ports, the lowest first. Raises NoSuchSandbox, or OSError when it ended meanwhile."""
    slot = sandbox.slot_of(host, sandbox_id)
    if slot is None or not sandbox.alive(host, sandbox_id):
        raise NoSuchSandbox(f"There is no sandbox {sandbox_id} on this machine.")
    outside = ("0.0.0.0", "::", str(slot.address))  # noqa: S104  # what a sandbox's server is bound to
    found: dict[int, bool] = {}

    def inside() -> None:
        for family in (socket.AF_INET, socket.AF_INET6):
            for port, address in _listening(family):
                found[port] = found.get(port, False) or address in outside

    network.in_network_of(sandbox.init_pid(host, sandbox_id), inside)
    if not sandbox.alive(host, sandbox_id):  # the number may have become another process's
        raise NoSuchSandbox(f"The sandbox {sandbox_id} has ended.")
    return sorted(Listener(port, reachable) for port, reachable in found.items())


def _listening(family: int) -> Iterator[tuple[int, str]]:
    """(port, address) of at most MOST listening TCP sockets in this thread's network namespace."""
    body = REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << TCP_LISTEN)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as asking:
        asking.send(HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
        read = 0
        while True:
            data = asking.recv(BUFFER)
            while len(data) >= HEADER.size:
                length, kind, *_ = HEADER.unpack_from(data)
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", data, HEADER.size)[0], "sock_diag")
                yield _source(MESSAGE.unpack_from(data, HEADER.size))
                read += 1
                if read >= MOST:
                    return
                data = data[length + 3 & ~3 :]


def _source(message: tuple[int, int, int, int, bytes, bytes, bytes]) -> tuple[int, str]:
    family, *_, port, _to, address = message
    if family == socket.AF_INET:
        return int.from_bytes(port, "big"), str(IPv4Address(address[:4]))
    known = IPv6Address(address)
    return int.from_bytes(port, "big"), str(known.ipv4_mapped or known)
