"""What the doctor looks at: one function per property of the host, each tried for real where that is cheap.

Standard library only, because set-up asks before there is a Python environment. Everything tried is undone at once: mounts are made in a
private mount namespace, links and rules in a throwaway network namespace.
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.runtime import cgroups, mounts
from engine.runtime.errors import HostNotReady, StepFailed
from engine.runtime.namespaces import Namespaces

Level = Literal["ok", "warn", "fail"]
GIB = 1 << 30
OLDEST_KERNEL = (5, 19)  # the first whose overlayfs may lie over an idmapped mount
NEEDED_CONTROLLERS = ("memory", "cpu", "pids", "devices", "freezer")
V2_CONTROLLERS = ("memory", "cpu", "pids")  # devices are eBPF and freezing is built in on version 2
TOOLS = {
    "conmon": "conmon",
    "mkfs.ext4": "e2fsprogs",
    "nft": "nftables",
    "ip": "iproute2",
    "setpriv": "util-linux",
    "redis-server": "redis-server",
    "docker-registry": "docker-registry",
    "mmdebstrap": "mmdebstrap",
    "skopeo": "skopeo",
    "umoci": "umoci",
}
# Host settings that shrink what a process that broke out of nothing yet could try. (file, wanted, a test of the value)
HARDENING: dict[str, tuple[str, Callable[[str], bool]]] = {
    "kernel.io_uring_disabled": ("2", lambda value: value == "2"),
    "kernel.unprivileged_bpf_disabled": ("1", lambda value: value in ("1", "2")),
    "kernel.perf_event_paranoid": ("3", lambda value: int(value) >= 3),
    "kernel.kptr_restrict": ("2", lambda value: value == "2"),
    "kernel.dmesg_restrict": ("1", lambda value: value == "1"),
    "kernel.core_pattern": ("core", lambda value: not value.startswith("|")),
}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    level: Level
    what: str
    found: str
    remedy: str = ""


def _command(argv: Sequence[str], text: str = "") -> str | None:
    """None if the command succeeded, otherwise what it complained about."""
    try:
        result = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if result.returncode == 0 else (result.stderr.strip() or f"status {result.returncode}")


def _existing(path: Path) -> Path:
    """The path itself or its nearest parent that exists: what tells about the file system it will be on."""
    return next(parent for parent in (path, *path.parents) if parent.exists())


def root() -> Finding:
    if os.geteuid() == 0:
        return Finding("ok", "root", "yes")
    return Finding("fail", "root", "no", "Run this as root: sandboxes need namespaces, mounts and a bridge.")


def kernel() -> Finding:
    release = os.uname().release
    found = re.match(r"(\d+)\.(\d+)", release)
    if found and (int(found[1]), int(found[2])) >= OLDEST_KERNEL:
        return Finding("ok", "kernel", release)
    return Finding("fail", "kernel", release, "Install Linux 5.19 or newer: Debian 12 has it (apt-get install linux-image-amd64; reboot).")


def user_namespaces() -> Finding:
    try:
        with Namespaces(0x70010000, 65536):
            return Finding("ok", "user namespaces", "one with 65,536 ids was made")
    except (HostNotReady, OSError) as error:
        return Finding("fail", "user namespaces", str(error), "Set sysctl user.max_user_namespaces=15000; the kernel needs CONFIG_USER_NS.")


def overlay(state: Path) -> Finding:
    """A lab's root: an overlay over an idmapped mount of a directory on the file system that will hold the images."""
    try:
        with tempfile.TemporaryDirectory(dir=_existing(state), prefix=".doctor-") as name:
            place = Path(name)
            for part in ("image", "lower", "disk"):
                (place / part).mkdir()

            def build() -> None:
                mounts.mount_idmapped(place / "image", place / "lower", own.paths["user"])
                mounts.mount("tmpfs", str(place / "disk"), "tmpfs")
                for part in ("upper", "work", "root"):
                    (place / "disk" / part).mkdir()
                mounts.mount_overlay(place, "lower", "disk/upper", "disk/work", "disk/root")

            with Namespaces(0x70010000, 65536) as own:
                mounts.in_private_mounts(build)
    except (HostNotReady, OSError) as error:
        return Finding(
            "fail", "overlay over idmapped mounts", str(error), f"Load the overlay module, and keep {state} on ext4, xfs or btrfs."
        )
    return Finding("ok", "overlay over idmapped mounts", "mounted")


def loop_devices(state: Path) -> Finding:
    try:
        with tempfile.NamedTemporaryFile(dir=_existing(state), prefix=".doctor-") as image:
            image.truncate(1 << 20)
            device, descriptor = mounts.attach_loop(Path(image.name))
            os.close(descriptor)
    except (StepFailed, OSError) as error:
        return Finding("fail", "loop devices", str(error), "modprobe loop; in a container, allow /dev/loop-control and /dev/loop*.")
    return Finding("ok", "loop devices", f"{device} was attached")


def cgroup_controllers() -> Finding:
    if cgroups.unified():
        version, needed = "version 2", set(V2_CONTROLLERS)
        present = set((cgroups.ROOT / "cgroup.controllers").read_text().split())
    else:
        version, needed = "version 1", set(NEEDED_CONTROLLERS)
        options = [line.rpartition(" - ")[2].split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        present = {word for fields in options if fields[0] == "cgroup" for word in fields[-1].split(",")}
    if lacking := sorted(needed - present):
        return Finding(
            "fail",
            "cgroup controllers",
            f"{version}, without {', '.join(lacking)}",
            "Mount them, or boot with `cgroup_enable=memory systemd.unified_cgroup_hierarchy=1` on the kernel command line.",
        )
    return Finding("ok", "cgroup controllers", f"{version}: {', '.join(sorted(needed))}")


def memory() -> Finding:
    found = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    size = int(found[1]) * 1024 if found else 0
    text = f"{size / GIB:.1f} GiB"
    if size < GIB:
        return Finding("fail", "memory", text, "Give this machine 2 GiB or more: a Docker lab alone may use 1 GiB.")
    if size < 3 * GIB:
        return Finding("warn", "memory", text, "Enough for one or two learners. Plan 1 GiB for each Docker lab that runs at once.")
    return Finding("ok", "memory", text)


def disk_space(state: Path) -> Finding:
    free = shutil.disk_usage(_existing(state)).free
    text = f"{free / GIB:.1f} GiB free for {state}"
    if free < 3 * GIB:
        return Finding(
            "fail", "disk space", text, "Free some space, or set PLAYGROUND_STATE to a larger disk: images and build need 3 GiB."
        )
    if free < 15 * GIB:
        return Finding("warn", "disk space", text, "Plan 4 GiB for each lab that runs at once.")
    return Finding("ok", "disk space", text)


def port(bind: str, number: int) -> Finding:
    what = f"port {number}"
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 - compared, not bound
    try:
        socket.create_connection((address, number), timeout=2).close()
    except ConnectionRefusedError:
        return Finding("ok", what, "free")
    except OSError as error:
        return Finding("fail", what, f"{address}: {error}", "Set PLAYGROUND_BIND to an address of this machine.")
    connection = http.client.HTTPConnection(address, number, timeout=3)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        if "engine" in json.loads(connection.getresponse().read()):
            return Finding("ok", what, "the site answers on it")
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        pass  # not ours: said below
    finally:
        connection.close()
    return Finding("fail", what, "in use by another program", f"Set PLAYGROUND_PORT to a free port, for example {number + 80}.")


def hardening() -> list[Finding]:
    findings = []
    for name, (wanted, fine) in HARDENING.items():
        path = Path("/proc/sys", *name.split("."))
        value = path.read_text().strip() if path.exists() else ""
        if not path.exists() or fine(value):
            findings.append(Finding("ok", name, value or "not in this kernel"))
        else:
            findings.append(Finding("warn", name, value, f"Recommended: sysctl -w {name}={wanted}, and the same in /etc/sysctl.d/."))
    return findings


def tools() -> list[Finding]:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacking = {program: package for program, package in TOOLS.items() if shutil.which(program, path=path) is None}
    if lacking:
        return [Finding("fail", program, "not installed", f"apt-get install {package}") for program, package in lacking.items()]
    return [Finding("ok", "programs", ", ".join(TOOLS))]


def runtime(name: str) -> Finding:
    """The OCI runtime. The three CVEs of November 2025 are fixed in runc 1.2.8, 1.3.3 and 1.4."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        return Finding("fail", "OCI runtime", f"{name} is not installed", "apt-get install runc, or set PLAYGROUND_RUNTIME.")
    output = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    found = re.search(r"^runc version (\d+)\.(\d+)\.(\d+)", output, re.MULTILINE)
    if found is None:
        return Finding("ok", "OCI runtime", f"{path}: {(output.splitlines() or ['says no version'])[0]}")
    version = (int(found[1]), int(found[2]), int(found[3]))
    text = f"runc {'.'.join(map(str, version))}"
    if version < (1, 1, 5):
        return Finding("fail", "OCI runtime", text, "Install runc 1.1.5 or newer.")
    if (1, 2, 8) <= version < (1, 3) or version >= (1, 3, 3):
        return Finding("ok", "OCI runtime", text)
    return Finding(
        "warn",
        "OCI runtime",
        f"{text}, without the fixes for CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881",
        "Every sandbox's user namespace is the advisories' main mitigation. Prefer runc 1.2.8, 1.3.3 or newer (PLAYGROUND_RUNTIME).",
    )


def network() -> list[Finding]:
    links = "link add doctor0 type bridge\nlink add doctor1 type veth peer name doctor2\nlink set doctor1 master doctor0\n"
    rules = (
        "table bridge doctor { chain port {\ntype filter hook prerouting priority 0\nether type arp accept\n}\n}\n"
        "table inet doctor { chain out {\ntype nat hook postrouting priority 100\nmasquerade\n}\n}\n"
    )
    tried = (
        ("bridge and veth", ["unshare", "--net", "ip", "-batch", "-"], links, "modprobe bridge veth"),
        ("nftables", ["unshare", "--net", "nft", "-f", "-"], rules, "modprobe nf_tables nft_masq nft_meta_bridge"),
    )
    findings = []
    for what, argv, text, remedy in tried:
        problem = _command(argv, text)
        findings.append(Finding("fail", what, problem, f"{remedy}; the kernel needs them.") if problem else Finding("ok", what, "works"))
    return findings
