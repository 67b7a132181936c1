"""The network of an instance (bridge and firewall) and of a sandbox (one veth pair).

Who a sandbox is on the wire follows from its slot, so the firewall's table of allowed (port, MAC, address) is loaded once per instance and
nothing has to be added or removed per sandbox: no rule can be left behind, and a start costs no call of nft.

Sources: nft(8), bridge(8), ip-link(8); Documentation/networking/ip-sysctl.rst.
"""

import ctypes
import errno
import os
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from engine.runtime.errors import HostNotReady, StepFailed
from engine.runtime.host import SLOTS, Host, Slot

CLONE_NEWNET = 0x40000000
NTF_MASTER, NUD_NOARP, NUD_PERMANENT = 0x04, 0x40, 0x80
REGISTRY_PORT = 5000
MARK = {"none": 0x50470000, "lab": 0x50470001, "internet": 0x50470002}
# Never to be reached through a lab, whatever its network: private, shared, loopback, link-local (metadata), benchmark, multicast, reserved.
NOT_INTERNET = (
    "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24, 192.168.0.0/16, "
    "198.18.0.0/15, 198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/4, 240.0.0.0/4"
)

# What one sandbox may have of the host's connection table and packet path. Ample for apt, npm and docker pull; far below what hurts others.
MOST_CONNECTIONS = 512  # at once
NEW_PER_SECOND, NEW_BURST = 200, 400  # connections
PACKETS_PER_SECOND, PACKET_BURST = 50_000, 10_000
# Entries the host's connection table may hold. A docker sandbox's own network namespaces count against the same number each, in kernel
# memory that no control group is charged for. Source: Documentation/networking/nf_conntrack-sysctl.rst.
CONNECTION_TABLE = 65_536

libc = ctypes.CDLL(None, use_errno=True)


def _nft(rules: str) -> None:
    result = subprocess.run(["nft", "-f", "-"], input=rules, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise HostNotReady(f"The firewall could not be loaded: {result.stderr.strip()}. Is nftables installed and in this kernel?")


def firewall(host: Host) -> str:
    """The instance's whole rule set for `nft -f`: default deny, one exception per thing a lab may do."""
    n, bridge = host.instance, host.bridge
    ports = ",\n".join(
        f'"{slot.port(network)}" . {slot.mac} . {slot.address}'
        for slot in (Slot(host.instance, number) for number in SLOTS)
        for network in MARK
    )
    return f"""
table bridge playground{n}
delete table bridge playground{n}
table bridge playground{n} {{
    # Who may send as whom: a frame that does not match its port is dropped (MAC, ARP and IP spoofing).
    set ports {{
        typeof iifname . ether saddr . ip saddr
        elements = {{ {ports} }}
    }}
    set packets {{
        typeof ip saddr
        size {len(SLOTS)}
        flags dynamic
    }}
    chain port {{
        ether type arp iifname . arp saddr ether . arp saddr ip @ports limit rate 1000/second accept
        ether type ip iifname . ether saddr . ip saddr @ports jump mark_port
        drop
    }}
    chain mark_port {{
        # The mark travels with the packet to the inet table, which sees only the bridge.
        iifname "pg{n}n*" meta mark set {MARK["none"]:#x}
        iifname "pg{n}l*" meta mark set {MARK["lab"]:#x}
        iifname "pg{n}i*" meta mark set {MARK["internet"]:#x}
        add @packets {{ ip saddr limit rate over {PACKETS_PER_SECOND}/second burst {PACKET_BURST} packets }} drop
        accept
    }}
    chain prerouting {{
        type filter hook prerouting priority -300; policy accept;
        iifname "pg{n}*" jump port
    }}
}}
table inet playground{n}
delete table inet playground{n}
table inet playground{n} {{
    # Both by source address, which the bridge table has vouched for.
    set live {{
        typeof ip saddr
        size {len(SLOTS)}
        flags dynamic
    }}
    set fresh {{
        typeof ip saddr
        size {len(SLOTS)}
        flags dynamic
    }}
    chain from_lab {{
        meta nfproto ipv6 drop
        ct state established,related accept
        ct state invalid drop
        ip saddr != {host.subnet} drop
        meta mark {MARK["none"]:#x} drop
        add @live {{ ip saddr ct count over {MOST_CONNECTIONS} }} drop
        add @fresh {{ ip saddr limit rate over {NEW_PER_SECOND}/second burst {NEW_BURST} packets }} drop
    }}
    chain input {{
        type filter hook input priority -10; policy accept;
        iifname "{bridge}" jump from_lab
        iifname "{bridge}" ip daddr {host.gateway} tcp dport {REGISTRY_PORT} accept
        iifname "{bridge}" ip daddr {host.gateway} icmp type echo-request limit rate 100/second accept
        iifname "{bridge}" drop
    }}
    chain forward {{
        type filter hook forward priority -10; policy accept;
        iifname "{bridge}" jump from_lab
        iifname "{bridge}" meta mark != {MARK["internet"]:#x} drop
        iifname "{bridge}" ip daddr {{ {NOT_INTERNET} }} drop
        iifname "{bridge}" tcp dport 25 drop
        iifname "{bridge}" oifname != "{bridge}" accept
        iifname "{bridge}" drop
        oifname "{bridge}" ct state established,related accept
        oifname "{bridge}" drop
    }}
    chain postrouting {{
        type nat hook postrouting priority 100; policy accept;
        ip saddr {host.subnet} oifname != "{bridge}" masquerade
    }}
}}
"""


def up(host: Host) -> None:
    """Make the instance's bridge and firewall, or bring what is there to this state. Idempotent."""
    with IPRoute() as ip:
        found = ip.link_lookup(ifname=host.bridge)
        if not found:
            # An address of its own: without one the bridge takes a port's, and changes it when that port goes, under its neighbours'
            # feet. Set once only: setting it again would flush the static neighbour entries of running sandboxes.
            ip.link("add", ifname=host.bridge, kind="bridge", address=f"02:60:{host.instance:02x}:ff:ff:ff")
            found = ip.link_lookup(ifname=host.bridge)
        index = found[0]
        ip.link("set", index=index, ifalias=str(host.state))
        disable_ipv6 = Path(f"/proc/sys/net/ipv6/conf/{host.bridge}/disable_ipv6")
        if disable_ipv6.exists():
            disable_ipv6.write_text("1")
        if not ip.get_addr(index=index, address=str(host.gateway)):
            ip.addr("add", index=index, address=str(host.gateway), prefixlen=16)
        ip.link("set", index=index, state="up")
    _nft(firewall(host))


def allow_forwarding() -> None:
    """Let the host route: labs with network `internet` need it. The instance's firewall says what may pass."""
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    if forward.read_text().strip() != "1":
        forward.write_text("1")


def bound_connections() -> None:
    """Lower the host's connection table to CONNECTION_TABLE where it may grow larger."""
    setting = Path("/proc/sys/net/netfilter/nf_conntrack_max")
    if setting.exists() and int(setting.read_text()) > CONNECTION_TABLE:
        setting.write_text(str(CONNECTION_TABLE))


def down(host: Host) -> None:
    """Remove the instance's bridge and firewall. No error if they are gone."""
    with IPRoute() as ip:
        for index in ip.link_lookup(ifname=host.bridge):
            ip.link("del", index=index)
    n = host.instance
    _nft(f"table bridge playground{n}\ndelete table bridge playground{n}\ntable inet playground{n}\ndelete table inet playground{n}\n")


def bridges() -> dict[int, str]:
    """Instances that are up on this host: number -> the state directory their bridge's alias names."""
    with IPRoute() as ip:
        links = {link.get("ifname"): link.get("ifalias") or "" for link in ip.get_links() if (link.get("ifname") or "").startswith("pgbr")}
    return {int(name[4:]): alias for name, alias in links.items() if name[4:].isdigit()}


def ports(host: Host) -> dict[str, int]:
    """The instance's veth ports on the host: name -> slot number."""
    prefix = f"pg{host.instance}"
    with IPRoute() as ip:
        names = [link.get("ifname") or "" for link in ip.get_links()]
    return {name: int(name.rpartition(".")[2]) for name in names if name.startswith(prefix) and "." in name}


def in_network_of(pid: int, act: Callable[[], None]) -> None:
    """Run `act` in a thread that has entered the network namespace of `pid` (setns(2) is per thread)."""
    failure: list[BaseException] = []

    def body() -> None:
        try:
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if libc.setns(descriptor, CLONE_NEWNET) != 0:
                    number = ctypes.get_errno()
                    raise OSError(number, f"setns: {os.strerror(number)}")
            finally:
                os.close(descriptor)
            act()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=body, name="sandbox-network")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


def attach(host: Host, slot: Slot, network: str, pid: int) -> None:
    """Give the network namespace of process `pid` its interface eth0, its address and its route. Raises StepFailed.

    The port is isolated (neighbours never see each other's frames), learns nothing and is flooded with nothing: its one forwarding entry
    and its one neighbour entry are static.
    """
    name = slot.port(network)
    address, prefix = str(slot.address), host.subnet.prefixlen

    def inside() -> None:
        for scope in ("all", "default"):
            disable_ipv6 = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
            if disable_ipv6.exists():
                disable_ipv6.write_text("1")
        with IPRoute() as ip:
            ip.link("set", index=1, state="up")
            eth0 = ip.link_lookup(ifname="eth0")[0]
            ip.link("set", index=eth0, address=slot.mac, state="up")
            ip.addr("add", index=eth0, address=address, prefixlen=prefix)
            if network != "none":
                ip.route("add", dst="default", gateway=str(host.gateway))

    try:
        with IPRoute() as ip:
            bridge = ip.link_lookup(ifname=host.bridge)
            if not bridge:
                raise StepFailed("network", f"the bridge {host.bridge} is gone; restart the engine")
            peer: dict[str, Any] = {"ifname": "eth0", "net_ns_pid": pid}
            ip.link("add", ifname=name, kind="veth", peer=peer)
            port = ip.link_lookup(ifname=name)[0]
            # Before it comes up: the host's end would greet the sandbox with IPv6 link-local frames.
            disable_ipv6 = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
            if disable_ipv6.exists():
                disable_ipv6.write_text("1")
            ip.link("set", index=port, master=bridge[0], state="up")
            ip.brport("set", index=port, isolated=1, learning=0, unicast_flood=0, mcast_flood=0, bcast_flood=0)
            ip.fdb("append", ifindex=port, lladdr=slot.mac, flags=NTF_MASTER, state=NUD_NOARP)  # NOARP is bridge(8)'s "static"
            ip.neigh("replace", dst=address, lladdr=slot.mac, ifindex=bridge[0], state=NUD_PERMANENT)
        in_network_of(pid, inside)
    except NetlinkError as error:
        raise StepFailed("network", str(error)) from error


def detach(host: Host, slot: Slot) -> None:
    """Remove the sandbox's port and neighbour entry. No error if they are gone (the port goes with the sandbox's namespace)."""
    with IPRoute() as ip:
        names = [slot.port(network) for network in MARK]
        for name in names:
            for index in ip.link_lookup(ifname=name):
                _ignoring(errno.ENODEV, partial(ip.link, "del", index=index))
        for bridge in ip.link_lookup(ifname=host.bridge):
            _ignoring(errno.ENOENT, partial(ip.neigh, "del", dst=str(slot.address), lladdr=slot.mac, ifindex=bridge))


def _ignoring(code: int, act: Callable[[], Any]) -> None:
    """Do it; no error if the kernel answers that what was to be removed is gone already."""
    try:
        act()
    except NetlinkError as error:
        if error.code != code:
            raise
