"""The OCI runtime configuration of a sandbox: a pure function from data to data.

Source: the OCI runtime specification, config.md and config-linux.md.
"""

from typing import Any

from engine.runtime.host import UIDS_PER_SLOT, Host, Slot
from engine.runtime.machine import FIGURES, NO_MACHINE, Machine, share
from engine.runtime.profiles import MASKED, RLIMITS, Profile
from engine.runtime.spec import SandboxSpec

ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
)
CPU_PERIOD = 100_000  # µs
PID1_OOM_SCORE, TERMINAL_OOM_SCORE = 100, 700  # tmpfs has no RSS: with equal scores the kernel may choose PID 1

# Character devices the device cgroup lets through: null, zero, full, random, urandom, tty, ptmx, pts.
DEVICES = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None))


def capabilities(profile: Profile) -> dict[str, list[str]]:
    """The same list as bounding, effective and permitted; ambient and inheritable stay empty."""
    return {kind: list(profile.capabilities) for kind in ("bounding", "effective", "permitted")}


def process(profile: Profile, argv: tuple[str, ...], *, terminal: bool, cwd: str = "/root", oom_score: int) -> dict[str, Any]:
    """An OCI `process` object: PID 1, a terminal's shell or a command."""
    return {
        "terminal": terminal,
        "user": {"uid": 0, "gid": 0},
        "args": list(argv),
        "env": [*ENVIRONMENT, "TERM=xterm-256color", *(["COLORTERM=truecolor"] if terminal else [])],
        "cwd": cwd,
        "capabilities": capabilities(profile),
        # Off: sudo and ping must work; what they gain is confined by the user namespace.
        "noNewPrivileges": False,
        "rlimits": [{"type": name, "soft": soft, "hard": hard} for name, soft, hard in RLIMITS],
        "oomScoreAdj": oom_score,
    }


def _devices() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    for major, minor in DEVICES:
        rule: dict[str, Any] = {"allow": True, "type": "c", "major": major, "access": "rwm"}
        rules.append(rule if minor is None else rule | {"minor": minor})
    return rules


def _figures(machine: Machine) -> list[dict[str, Any]]:
    """lxcfs over what /proc says of memory, processors, load and uptime: `free` and `top` tell of the sandbox, not of the host."""
    if machine.lxcfs is None:
        return []
    options = ["bind", "ro", "nosuid", "nodev", "noexec"]
    source = machine.lxcfs / "proc"
    return [{"destination": f"/proc/{name}", "type": "none", "source": str(source / name), "options": options} for name in FIGURES]


def config(
    spec: SandboxSpec,
    profile: Profile,
    host: Host,
    slot: Slot,
    init: tuple[str, ...],
    joined: dict[str, str],
    machine: Machine = NO_MACHINE,
) -> dict[str, Any]:
    """config.json of the bundle in the sandbox's directory. `init`: the image's PID 1; `joined`: namespaces it joins, type to path."""
    limits, directory = spec.limits, host.directory(spec.id)
    mapping = [{"containerID": 0, "hostID": slot.uid, "size": UIDS_PER_SLOT}]
    mounts = [*profile.mounts, *_figures(machine)]
    cpus = share(machine, slot, limits.cpus)
    if profile.nesting:
        # Docker's layers on the disk itself: overlay cannot use an overlay as its upper layer.
        mounts.append(
            {"destination": "/var/lib/docker", "type": "none", "source": str(directory / "disk/docker"), "options": ["bind", "rw"]}
        )
    return {
        "ociVersion": "1.0.2",
        "process": process(profile, init, terminal=False, oom_score=PID1_OOM_SCORE),
        "root": {"path": str(directory / "rootfs"), "readonly": False},
        "hostname": spec.hostname,
        "mounts": mounts,
        "linux": {
            "uidMappings": mapping,
            "gidMappings": mapping,
            "namespaces": [
                *({"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")),
                *({"type": kind, "path": path} for kind, path in joined.items()),
            ],
            "cgroupsPath": f"/{host.cgroup}/{spec.id}",
            "resources": {
                "memory": {"limit": limits.memory, "swap": limits.memory},
                "cpu": {"quota": int(limits.cpus * CPU_PERIOD), "period": CPU_PERIOD, "shares": 256} | ({"cpus": cpus} if cpus else {}),
                "pids": {"limit": limits.pids},
                "devices": _devices(),
            },
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(profile.readonly),
            "seccomp": profile.seccomp,
            "sysctl": {
                "net.ipv6.conf.all.disable_ipv6": "1",
                "net.ipv6.conf.default.disable_ipv6": "1",
                "net.ipv4.ping_group_range": "0 65535",  # ping without CAP_NET_RAW
                # A web server may take port 80 without being root, as in Docker since 20.10.
                "net.ipv4.ip_unprivileged_port_start": "0",
            },
            "rootfsPropagation": "private",
        },
    }
