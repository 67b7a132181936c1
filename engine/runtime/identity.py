"""What tells a sandbox who it is: host name, hosts, resolver and machine id, written above its image before it starts.

On a resumed disk a learner's root made what lies there: every name is opened from its directory's descriptor and no link is followed
(openat(2), O_NOFOLLOW), so that nothing outside the disk can be reached.
"""

import contextlib
import os
import stat
from pathlib import Path

from engine.runtime.errors import StepFailed
from engine.runtime.host import Host, Slot
from engine.runtime.spec import SandboxSpec

NO_LINK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LAYOUT = {"upper": 0o755, "work": 0o700, "docker": 0o710}


def lay_out(disk: Path) -> None:
    """The directories of a fresh disk, as `check_layout` wants them."""
    for name, mode in LAYOUT.items():
        (disk / name).mkdir(mode=mode)


def check_layout(disk: Path) -> None:
    """A resumed disk has the three directories, and they are directories: a link would have the overlay take the host's files.

    Raises StepFailed.
    """
    for name in LAYOUT:
        try:
            found = (disk / name).lstat()
        except OSError:
            raise StepFailed("disk", f"the saved disk has no {name}") from None
        if not stat.S_ISDIR(found.st_mode):  # whose they are is their learner's business: `chown 1000 /` changes that
            raise StepFailed("disk", f"the saved disk's {name} is not what this site makes")


def files_of(spec: SandboxSpec, host: Host, slot: Slot) -> dict[str, str]:
    """Name in /etc -> text."""
    return {
        "hostname": f"{spec.hostname}\n",
        "hosts": f"127.0.0.1 localhost\n{slot.address} {spec.hostname}\n{host.gateway} registry.lab\n",
        "resolv.conf": _resolver() if spec.network == "internet" else "# This lab has no name server: its network is closed.\n",
        "machine-id": f"{spec.id}\n",
    }


def _resolver() -> str:
    """The host's name servers that a sandbox can reach; public ones where the host has only a local stub."""
    lines = Path("/etc/resolv.conf").read_text().splitlines() if Path("/etc/resolv.conf").exists() else []
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    public = [server for server in servers if not server.startswith(("127.", "10.", "192.168.", "169.254.", "172.")) and ":" not in server]
    return "".join(f"nameserver {server}\n" for server in public or ["9.9.9.9", "1.1.1.1"])


def write(upper: Path, files: dict[str, str]) -> None:
    """Write the files into etc of the disk's upper directory, in place of what is there. Raises OSError at the first that will not go."""
    top = os.open(upper, NO_LINK)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir("etc", 0o755, dir_fd=top)
        etc = os.open("etc", NO_LINK, dir_fd=top)
    finally:
        os.close(top)
    try:
        for name, text in files.items():
            _replace(etc, name, text)
    finally:
        os.close(etc)


def _replace(directory: int, name: str, text: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=directory)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o644)
