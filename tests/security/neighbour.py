"""The neighbour in the next sandbox: answers whatever reaches it, on every layer. Sent as `python3 -c`; argument: its port."""

import contextlib
import os
import select
import socket
import struct
import sys
from pathlib import Path

port = int(sys.argv[1])
for name in ("all", "default", "eth0"):
    with contextlib.suppress(OSError):  # only a docker sandbox may write its network's settings
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("0")
tcp = socket.create_server(("", port))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
udp.bind(("", port))
udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + socket.inet_aton("0.0.0.0"))
sources: list[socket.socket] = [tcp, udp]
with contextlib.suppress(OSError):
    udp6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    udp6.bind(("::", port))
    group = socket.inet_pton(socket.AF_INET6, "ff02::1") + struct.pack("I", socket.if_nametoindex("eth0"))
    sources.append(udp6)
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind(("eth0", 3))
own = bytes.fromhex(Path("/sys/class/net/eth0/address").read_text().strip().replace(":", ""))
sources.append(raw)
print("up", flush=True)
if os.fork():  # the one who started us need not wait
    os._exit(0)
os.setsid()
null = os.open("/dev/null", os.O_RDWR)
for descriptor in (0, 1, 2):
    os.dup2(null, descriptor)
while True:
    for source in select.select(sources, [], [])[0]:
        with contextlib.suppress(OSError):
            if source is tcp:
                connection, _ = tcp.accept()
                connection.sendall(b"welcome\n")
                connection.close()
            elif source is raw:
                frame, where = raw.recvfrom(2000)
                begin = frame.find(b"FRAME-")
                if begin >= 0 and where[2] != socket.PACKET_OUTGOING:
                    answer = b"ECHO" + frame[begin : begin + 20]
                    raw.send(b"\xff" * 6 + own + b"\x88\xb5" + answer.ljust(60, b"\0"))
            else:
                data, sender = source.recvfrom(2000)
                source.sendto(b"ECHO" + data, sender)
