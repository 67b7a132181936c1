"""An installation on this host: which instance number it has, its bridge, firewall and cgroup parent."""

import contextlib
import shutil
from pathlib import Path

from engine.runtime import cgroups, machine, network
from engine.runtime.errors import HostNotReady
from engine.runtime.host import Host

INSTANCES = range(8)


def find(state: Path) -> int | None:
    """The instance number this state directory holds, or None if it is not up."""
    for number, alias in network.bridges().items():
        if alias == str(state):
            return number
    return None


def opened(state: Path, runtime: str = "runc", gateway_group: int = 0) -> Host:
    """The Host of an installation that is up. Raises HostNotReady when it is not."""
    number = find(state)
    if number is None:
        raise HostNotReady(f"The installation in {state} is not up: run `python -m engine.runtime up --state {state}`.")
    return Host(state=state, instance=number, runtime=runtime, gateway_group=gateway_group)


def bring_up(state: Path, runtime: str = "runc", gateway_group: int = 0) -> Host:
    """Claim an instance number and make bridge, firewall and cgroup parents. Idempotent.

    The claim is the bridge: its name is the number, its alias the state directory, and the kernel makes only one of a name.
    Raises HostNotReady when eight other installations are up.
    """
    number = find(state)
    if number is None:
        taken = network.bridges()
        number = next((candidate for candidate in INSTANCES if candidate not in taken), None)
    if number is None:
        raise HostNotReady("Eight installations are up on this host, and that is the most. Stop one.")
    host = Host(state=state, instance=number, runtime=runtime, gateway_group=gateway_group)
    for directory in (host.sandboxes, host.images):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
    host.slots.mkdir(mode=0o700, exist_ok=True)
    host.runc_root.mkdir(mode=0o700, exist_ok=True)
    network.up(host)
    network.allow_forwarding()
    network.bound_connections()
    machine.widen_inotify()
    cgroups.make_parent(host.cgroup)
    return host


def take_down(host: Host) -> None:
    """Remove what `bring_up` made. The sandboxes must be gone already."""
    network.down(host)
    cgroups.remove(host.cgroup)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(host.runc_root)
