"""Things on the host that are not ours, some with names much like ours: whatever we mend, they stay as they are."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyroute2 import IPRoute

from engine.runtime import cgroups

BRIDGE, PORT, PEER = "pgforeign0", "pgforeign1.7", "pgforeign2.7"
GROUPS = ("foreign", "playground-foreign", "playground-foreign/0123456789abcdef0123456789abcdef")


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def things(directory: Path) -> Iterator["Foreign"]:
    made = Foreign(directory)
    try:
        yield made
    finally:
        made.remove()


class Foreign:
    """A bridge with a port, control groups with a process, a mount, a loop device, files: `missing` tells what has gone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.mount = directory / "mount"
        self.mount.mkdir(parents=True)
        _run("mount", "-t", "tmpfs", "foreign", str(self.mount))
        (directory / "disk.img").write_bytes(bytes(1 << 20))
        self.loop = _run("losetup", "--find", "--show", str(directory / "disk.img"))
        with IPRoute() as ip:
            ip.link("add", ifname=BRIDGE, kind="bridge", ifalias="/another/installation")
            ip.link("add", ifname=PORT, kind="veth", peer={"ifname": PEER})
            ip.link("set", index=ip.link_lookup(ifname=PORT)[0], master=ip.link_lookup(ifname=BRIDGE)[0], state="up")
        self.process = subprocess.Popen(["sleep", "infinity"])
        for hierarchy in self._hierarchies():
            for name in GROUPS:
                (hierarchy / name).mkdir()
            (hierarchy / GROUPS[-1] / "cgroup.procs").write_text(str(self.process.pid))

    def _hierarchies(self) -> list[Path]:
        """A cpuset of version 1 starts without a processor and takes no process."""
        return [path for path in cgroups.hierarchies() if not (path / "cpuset.cpus").exists() or cgroups.unified()]

    def missing(self) -> list[str]:
        with IPRoute() as ip:
            links = {link.get("ifname") for link in ip.get_links()}
        mounts = Path("/proc/self/mountinfo").read_text()
        backing = Path("/sys/block") / Path(self.loop).name / "loop" / "backing_file"
        there = {
            "bridge and port": {BRIDGE, PORT, PEER} <= links,
            "mount": f" {self.mount} " in mounts,
            "loop device": backing.exists() and backing.read_text().strip() == str(self.directory / "disk.img"),
            "process": self.process.poll() is None,
            "control groups": all((hierarchy / name).is_dir() for hierarchy in self._hierarchies() for name in GROUPS),
        }
        return [name for name, found in there.items() if not found]

    def remove(self) -> None:
        self.process.kill()
        self.process.wait()
        for hierarchy in self._hierarchies():
            for name in reversed(GROUPS):
                (hierarchy / name).rmdir()
        with IPRoute() as ip:
            for index in [index for name in (PORT, BRIDGE) for index in ip.link_lookup(ifname=name)]:  # what `missing` told of is gone
                ip.link("del", index=index)
        _run("losetup", "--detach", self.loop)
        _run("umount", str(self.mount))
