"""Everything that a sandbox leaves on its host while it lives, looked for in the kernel and not in our own records."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pyroute2 import IPRoute

from engine.runtime import cgroups
from engine.runtime.host import UIDS_PER_SLOT, Host, held_slot

SANDBOX_ID = re.compile(r"/playground-\d/([0-9a-f]{32})")
NAMESPACES = ("pid", "ipc", "uts", "mnt", "net", "user", "cgroup")


def _processes() -> Iterator[Path]:
    """Every process but the dead that the host's init has not reaped yet: when it does is its business."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            state, _, rest = _read(entry / "stat").rpartition(") ")[2].partition(" ")
            if not (state == "Z" and rest.startswith("1 ")):
                yield entry


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # the process has ended between the listing and the reading
        return ""


def _namespaces(process: Path) -> set[str]:
    found = set()
    for name in NAMESPACES:
        with contextlib.suppress(OSError):
            found.add(str((process / "ns" / name).readlink()))
    return found


class Traces:
    """What there is of one living sandbox. Its numbers are noted at once: after its end its own files cannot be asked."""

    def __init__(self, host: Host, sandbox_id: str) -> None:
        self.host, self.sandbox_id = host, sandbox_id
        slot = held_slot(host, sandbox_id)
        assert slot is not None, "no lease names this sandbox"
        self.slot = slot
        init = Path("/proc") / (host.directory(sandbox_id) / "init.pid").read_text()
        self.namespaces = _namespaces(init) - _namespaces(Path("/proc/self"))
        missing = set(self.kinds()) - set(self.left())
        assert not missing, f"a living sandbox shows no {missing}: the search for traces is blind to them"

    def kinds(self) -> dict[str, Callable[[], list[str]]]:
        return {
            "process": self.processes,
            "namespace": self.living_namespaces,
            "cgroup": self.cgroups,
            "mount": self.mounts,
            "loop device": self.loops,
            "veth": self.ports,
            "neighbour": self.neighbours,
            "forwarding entry": self.forwarding,
            "file": self.files,
        }

    def left(self) -> dict[str, list[str]]:
        """Everything that is there now, by kind; kinds of which there is nothing are left out."""
        return {kind: found for kind, look in self.kinds().items() if (found := look())}

    def processes(self) -> list[str]:
        """In its cgroup, on its command line (conmon, runc), or running as one of its users."""
        uids = range(self.slot.uid, self.slot.uid + UIDS_PER_SLOT)
        found = []
        for process in _processes():
            status = dict(line.split(":\t", 1) for line in _read(process / "status").splitlines() if ":\t" in line)
            if (
                self.sandbox_id in _read(process / "cgroup") + _read(process / "cmdline") or int(status.get("Uid", "0").split()[0]) in uids
            ) and process.name != str(os.getpid()):
                found.append(f"{process.name} {status.get('Name')} {status.get('State')}")
        return found

    def living_namespaces(self) -> list[str]:
        """The kernel hands out the number of a namespace that has gone again: those of other sandboxes' processes are theirs."""
        others = {process for process in _processes() if self._is_anothers(process)}
        mine = set(_processes()) - others
        return sorted({name for process in mine for name in _namespaces(process) & self.namespaces})

    def _is_anothers(self, process: Path) -> bool:
        """By its control group, or by its ids while it holds the namespaces of one that is being made and has no group yet."""
        mapped = _read(process / "uid_map").split()[1:2]
        foreign = mapped not in (["0"], [str(self.slot.uid)])
        return foreign or bool(set(SANDBOX_ID.findall(_read(process / "cgroup"))) - {self.sandbox_id})

    def cgroups(self) -> list[str]:
        found = []
        for hierarchy in cgroups.hierarchies():
            found += [directory for directory, _, _ in os.walk(hierarchy) if self.sandbox_id in directory]
        return found

    def mounts(self) -> list[str]:
        """In any mount namespace of the host: by its path, or of a loop device while that carries its disk (the next sandbox reuses it)."""
        devices = {entry.split()[0] for entry in self.loops()}
        found = {line for process in _processes() for line in _read(process / "mountinfo").splitlines()}
        return sorted(line for line in found if self.sandbox_id in line or devices & set(line.split()))

    def loops(self) -> list[str]:
        found = []
        for entry in Path("/sys/block").glob("loop*"):
            backing = _read(entry / "loop" / "backing_file").strip()
            if self.sandbox_id in backing:
                found.append(f"/dev/{entry.name} {backing}")
        return found

    def ports(self) -> list[str]:
        with IPRoute() as ip:
            names = [link.get("ifname") or "" for link in ip.get_links()]
        return [name for name in names if name.startswith(f"pg{self.host.instance}") and name.endswith(f".{self.slot.number}")]

    def neighbours(self) -> list[str]:
        with IPRoute() as ip:
            return [str(entry.get("dst")) for entry in ip.get_neighbours() if entry.get("dst") == str(self.slot.address)]

    def forwarding(self) -> list[str]:
        with IPRoute() as ip:
            return [self.slot.mac for entry in ip.fdb("dump") if entry.get("lladdr") == self.slot.mac]

    def files(self) -> list[str]:
        places = (self.host.sandboxes, self.host.runc_root)
        found = [str(place / self.sandbox_id) for place in places if (place / self.sandbox_id).exists()]
        return found + [str(lease) for lease in self.host.slots.iterdir() if _read(lease) == self.sandbox_id]
