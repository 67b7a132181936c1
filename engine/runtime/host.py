"""Where this installation's things are on the host, and the numbers that keep installations and sandboxes apart."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from engine.runtime.errors import HostNotReady, NoSlot

UID_BASE, UIDS_PER_INSTANCE, UIDS_PER_SLOT = 0x70000000, 0x10000000, 0x10000
SLOTS = range(1, 4001)
HOSTS_PER_NET = 250


@dataclass(frozen=True)
class Slot:
    """A leased number from which all that must not collide follows (docs/architecture.md)."""

    instance: int
    number: int

    @property
    def uid(self) -> int:
        """First host uid and gid of the sandbox's 65,536."""
        return UID_BASE + self.instance * UIDS_PER_INSTANCE + self.number * UIDS_PER_SLOT

    @property
    def address(self) -> IPv4Address:
        subnet = IPv4Network(f"10.{96 + self.instance}.0.0/16")
        return subnet[256 * (1 + self.number // HOSTS_PER_NET) + 1 + self.number % HOSTS_PER_NET]

    @property
    def mac(self) -> str:
        return f"02:60:{self.instance:02x}:00:{self.number >> 8:02x}:{self.number & 255:02x}"

    def port(self, network: str) -> str:
        """Name of the host's end of the veth pair; its letter tells the firewall which network the sandbox has."""
        return f"pg{self.instance}{network[0]}.{self.number}"


@dataclass(frozen=True)
class Host:
    """One installation on this host: its state directory, its instance number and the OCI runtime it uses."""

    state: Path
    instance: int
    runtime: str = "runc"
    gateway_group: int = 0  # the group of web and gateway: it may open terminals

    @property
    def sandboxes(self) -> Path:
        return self.state / "sandboxes"

    @property
    def saved(self) -> Path:
        return self.state / "saved"

    @property
    def images(self) -> Path:
        return self.state / "images"

    @property
    def slots(self) -> Path:
        return self.state / "slots"

    @property
    def runc_root(self) -> Path:
        """runc's own state. On a tmpfs: after a reboot there are no containers to remember."""
        return Path(f"/run/playground-{self.instance}")

    @property
    def bridge(self) -> str:
        return f"pgbr{self.instance}"

    @property
    def subnet(self) -> IPv4Network:
        return IPv4Network(f"10.{96 + self.instance}.0.0/16")

    @property
    def gateway(self) -> IPv4Address:
        return self.subnet[1]

    @property
    def cgroup(self) -> str:
        """Parent of every sandbox's cgroup, in each hierarchy."""
        return f"playground-{self.instance}"

    def directory(self, sandbox_id: str) -> Path:
        return self.sandboxes / sandbox_id

    def runtime_path(self) -> str:
        path = shutil.which(self.runtime, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if path is None:
            raise HostNotReady(f"The OCI runtime {self.runtime!r} is not installed: apt-get install runc")
        return path


def lease_slot(host: Host, sandbox_id: str) -> Slot:
    """Lease the lowest free slot. The lease is a file created exclusively, so no two sandboxes can hold one slot.

    Raises NoSlot when all 4,000 are taken.
    """
    host.slots.mkdir(mode=0o700, exist_ok=True)
    taken = {entry.name for entry in host.slots.iterdir()}
    for number in SLOTS:
        if str(number) in taken:
            continue
        try:
            descriptor = os.open(host.slots / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "w") as lease:
            lease.write(sandbox_id)
        return Slot(host.instance, number)
    raise NoSlot("This machine's 4,000 sandbox slots are all in use. Stop some sandboxes.")


def leases(host: Host) -> Iterator[tuple[Slot, str]]:
    """Every slot that is leased, with its holder's id: empty for a moment while it is being leased."""
    for entry in host.slots.iterdir() if host.slots.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # freed meanwhile
            yield Slot(host.instance, int(entry.name)), entry.read_text()


def held_slot(host: Host, sandbox_id: str) -> Slot | None:
    """The slot this sandbox holds, if any."""
    return next((slot for slot, holder in leases(host) if holder == sandbox_id), None)


def release_slot(host: Host, slot: Slot) -> None:
    (host.slots / str(slot.number)).unlink(missing_ok=True)
