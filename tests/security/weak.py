"""Deliberately weak sandboxes: each step takes one defence away, so that a probe against it must report that the attack worked.

Test-only, and safe for the host it runs on: what a probe does where it succeeds changes nothing (it writes a value back, asks with
arguments that do nothing), and limits are raised to four times theirs rather than lifted.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pyroute2 import IPRoute

from engine.runtime import bundle, cgroups, disk, mounts, network, sandbox
from engine.runtime.host import Host, Slot
from engine.runtime.namespaces import Namespaces
from engine.runtime.spec import SandboxSpec

# By number. Source: include/uapi/linux/capability.h
NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip
SECRET = "PLAYGROUND_SECRET_KEY=not-for-learners"
Config = dict[str, Any]


def engine_capabilities() -> list[str]:
    """All that the engine itself has: it can give no more."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    mask = int(line.split()[1], 16)
    return [f"CAP_{name}" for number, name in enumerate(NAMES) if mask >> number & 1]


def _all_capabilities() -> dict[str, list[str]]:
    return dict.fromkeys(("bounding", "effective", "permitted"), engine_capabilities())


def _without(config: Config, kind: str) -> None:
    config["linux"]["namespaces"] = [entry for entry in config["linux"]["namespaces"] if entry["type"] != kind]


def _no_seccomp(config: Config) -> None:
    del config["linux"]["seccomp"]


def _no_masks(config: Config) -> None:
    config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []
    config["mounts"] = [entry for entry in config["mounts"] if "lxcfs" not in entry["source"]]
    for entry in config["mounts"]:
        if entry["destination"] == "/sys":
            entry["options"] = [option for option in entry["options"] if option != "ro"]


def _no_user_namespace(config: Config) -> None:
    """Root is the host's root: the image and the disk stay as they are, their owner is just not root."""
    _without(config, "user")
    del config["linux"]["uidMappings"], config["linux"]["gidMappings"]


def _all_devices(config: Config) -> None:
    config["linux"]["resources"]["devices"] = [{"allow": True, "access": "rwm"}]


def _host_network(config: Config) -> None:
    _without(config, "network")
    config["linux"]["sysctl"] = {}


def _host_name(config: Config) -> None:
    _without(config, "uts")
    del config["hostname"]


def _ipv6(config: Config) -> None:
    for name in [name for name in config["linux"]["sysctl"] if "ipv6" in name]:
        config["linux"]["sysctl"][name] = "0"


def _raised_limits(config: Config) -> None:
    resources = config["linux"]["resources"]
    resources["memory"] = {name: value * 4 for name, value in resources["memory"].items()}
    resources["pids"] = {"limit": resources["pids"]["limit"] * 4}


def _more_processors(config: Config) -> None:
    cpu = config["linux"]["resources"]["cpu"]
    cpu["quota"] = 2 * bundle.CPU_PERIOD
    cpu.pop("cpus", None)


def _large_tmpfs(config: Config) -> None:
    for entry in config["mounts"]:
        if entry["type"] == "tmpfs":
            kept = [option for option in entry["options"] if not option.startswith(("size=", "nr_inodes=")) and option != "nosuid"]
            entry["options"] = [*kept, "size=1g", "nr_inodes=200k"]


def _many_terminals(config: Config) -> None:
    for entry in config["mounts"]:
        entry["options"] = [option for option in entry["options"] if not option.startswith("max=")]


def _writable_cgroups(config: Config) -> None:
    config["linux"]["readonlyPaths"] = [path for path in config["linux"]["readonlyPaths"] if path != "/sys/fs/cgroup"]
    for entry in config["mounts"]:
        if entry["destination"] in ("/sys", "/sys/fs/cgroup"):
            entry["options"] = [option for option in entry["options"] if option != "ro"]


def _own_limit_files(config: Config) -> None:
    """On version 2 the kernel refuses them at the root of a control group namespace, whoever owns them (mount option nsdelegate)."""
    _writable_cgroups(config)
    if cgroups.unified():
        _without(config, "cgroup")


def _engine_environment(config: Config) -> None:
    config["process"]["env"].append(SECRET)


@dataclass(frozen=True)
class Step:
    """One defence taken away. `config` alters config.json; `patches` are replaced attributes of the runtime while it is made."""

    why: str
    config: Callable[[Config], None] = lambda _: None
    patches: tuple[tuple[Any, str, Any], ...] = ()


def _nothing(*_: object) -> None:
    """In place of a step that is left out."""


def _absolute_overlay(directory: Path, lower: str, upper: str, work: str, target: str) -> None:
    options = f"lowerdir={directory / lower},upperdir={directory / upper},workdir={directory / work},xino=off"
    mounts.mount("overlay", str(directory / target), "overlay", 0, options)


_make_disk = disk.make_disk
STEPS: dict[str, Step] = {
    "seccomp": Step("no system call filter", _no_seccomp),
    "caps": Step("every capability the engine has", patches=((bundle, "capabilities", lambda _: _all_capabilities()),)),
    "counts": Step("no limit on namespaces and inotify", patches=((Namespaces, "limit", _nothing),)),
    "unmasked": Step("no masked and no read-only paths", _no_masks),
    "nouserns": Step("root inside is root of the host", _no_user_namespace, patches=((Namespaces, "limit", _nothing),)),
    "devices": Step("every device allowed", _all_devices),
    "hostnet": Step("the host's network namespace", _host_network, patches=((network, "attach", _nothing),)),
    "hostpid": Step("the host's pid namespace", lambda config: _without(config, "pid")),
    "hostuts": Step("the host's host name", _host_name),
    "hostcgroup": Step("the host's cgroup namespace", lambda config: _without(config, "cgroup")),
    "ipv6": Step("IPv6 left on", _ipv6),
    "limits": Step("four times the memory and processes", _raised_limits),
    "cpus": Step("two processors instead of one", _more_processors),
    "tmpfs": Step("tmpfs mounts of 1 GiB, with many inodes and setuid", _large_tmpfs),
    "ptys": Step("no limit on terminals", _many_terminals),
    "cgroupsrw": Step("writable control groups", _writable_cgroups),
    "environment": Step("an engine's variable in PID 1's environment", _engine_environment),
    "hostpaths": Step("the overlay mounted by absolute paths", patches=((mounts, "mount_overlay", _absolute_overlay),)),
    "rlimits": Step("no resource limits of our own", patches=((bundle, "RLIMITS", ()),)),
    "disk": Step("a disk four times the size", patches=((disk, "make_disk", lambda path, size: _make_disk(path, size * 4)),)),
    "delegated": Step(
        "limit files belong to the sandbox's root",
        _own_limit_files,
        patches=(
            (cgroups, "DELEGATED_V1", (*cgroups.DELEGATED_V1, "memory.limit_in_bytes", "pids.max", "cpu.cfs_quota_us")),
            (cgroups, "DELEGATED_V2", (*cgroups.DELEGATED_V2, "memory.max", "pids.max", "cpu.max")),
        ),
    ),
    # These act outside the sandbox's making: see `test_probes.py`.
    "firewall": Step("no rules, and ports of the bridge neither isolated nor static"),
    "descriptor": Step("the runtime passes a descriptor of the host's root directory on"),
    # Where the engine's own hard limit is ours and nobody here has CAP_SYS_RESOURCE, no sandbox can have more: the promise is lowered.
    "promises": Step("the probe is told of a tenth of the real limit: it has to notice"),
}
COMPOSED = {"rootful": ("nouserns", "caps", "seccomp", "unmasked")}


def steps(names: tuple[str, ...]) -> list[str]:
    return [step for name in names for step in COMPOSED.get(name, (name,))]


@contextmanager
def weakened(names: tuple[str, ...]) -> Iterator[None]:
    """Sandboxes made in here lack these defences."""
    chosen = [STEPS[name] for name in steps(names)]
    strong = bundle.config

    def config(*arguments: Any) -> Config:
        made = deepcopy(strong(*arguments))  # parts of it are the profile itself, which must stay strong
        for step in chosen:
            step.config(made)
        return made

    with ExitStack() as undo:
        undo.enter_context(patch.object(bundle, "config", config))
        for step in chosen:
            for target, name, value in step.patches:
                undo.enter_context(patch.object(target, name, value))
        yield


@contextmanager
def open_network(host: Host, made: list[tuple[SandboxSpec, Slot]]) -> Iterator[None]:
    """No firewall, and these sandboxes' ports as a bridge's ports are by default."""
    number = host.instance
    subprocess.run(["nft", "delete", "table", "bridge", f"playground{number}"], check=True)
    subprocess.run(["nft", "delete", "table", "inet", f"playground{number}"], check=True)
    masquerade = f"""
table ip probes{number} {{
    chain postrouting {{
        type nat hook postrouting priority 100;
        ip saddr {host.subnet} oifname != "{host.bridge}" masquerade
    }}
}}
"""
    subprocess.run(["nft", "-f", "-"], input=masquerade.encode(), check=True)
    try:
        with IPRoute() as ip:
            for spec, slot in made:
                port = ip.link_lookup(ifname=slot.port(spec.network))[0]
                ip.neigh("del", dst=str(slot.address), lladdr=slot.mac, ifindex=ip.link_lookup(ifname=host.bridge)[0])
                ip.brport("set", index=port, isolated=0, learning=1, unicast_flood=1, mcast_flood=1, bcast_flood=1)
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "ip", f"probes{number}"], check=True)
        network.up(host)


def execute(host: Host, sandbox_id: str, argv: tuple[str, ...], stdin: bytes, *, leak: bool) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in a sandbox by the runtime; `leak`: it passes a descriptor of the host's root directory on, as in CVE-2024-21626."""
    if not leak:
        return sandbox.run(host, sandbox_id, argv, stdin=stdin, timeout=200)
    command = [host.runtime_path(), "--root", str(host.runc_root), "exec", "--preserve-fds", "1", sandbox_id, *argv]
    root = os.open("/", os.O_RDONLY)
    try:
        third = ["bash", "-c", f'exec 3<&{root}; exec "$@"', "leak", *command]
        return subprocess.run(third, input=stdin, capture_output=True, pass_fds=[root], timeout=200, check=False)
    finally:
        os.close(root)
