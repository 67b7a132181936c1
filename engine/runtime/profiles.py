"""The two security classes of a sandbox, as data: `basic` (a shell) and `docker` (a shell with a Docker Engine of its own).

What holds the line in both: a user namespace whose ids mean nothing on the host, these capabilities (which that namespace confines),
the seccomp list, cgroup limits, and the firewall. In `docker` the masks are advisory: its root may unmount them.
Source of each entry: docs/security.md and the experiments it cites.
"""

from dataclasses import dataclass, field
from typing import Any

from engine.runtime.seccomp import seccomp
from engine.runtime.spec import ProfileName

BASIC_CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",  # root over its own files: apt, tar, useradd
    "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",  # su, sudo, daemons that drop privileges
    "CAP_NET_BIND_SERVICE",  # a web server on port 80
    "CAP_SYS_CHROOT",  # sshd, apt's sandbox
    "CAP_AUDIT_WRITE",  # login, sudo
    "CAP_SETFCAP",  # packages with file capabilities (ping)
)  # fmt: skip
DOCKER_CAPABILITIES = (
    *BASIC_CAPABILITIES,
    "CAP_NET_ADMIN",  # bridges, veth and iptables in its own network namespace
    "CAP_NET_RAW",  # ping in containers; iptables' raw sockets
    "CAP_SYS_ADMIN",  # mount, setns, pivot_root, in its own user namespace
    "CAP_SYS_PTRACE",  # docker exec into a container that runs as another user
    "CAP_MKNOD",  # image layers with device nodes: they unpack, and stay without effect in a user namespace
)

# Paths that tell of the host or change it.
MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/proc/interrupts", "/proc/kpagecount", "/proc/kpageflags",
    "/proc/kpagecgroup", "/proc/cmdline", "/proc/partitions", "/proc/diskstats",
    "/sys/firmware", "/sys/devices/virtual/powercap", "/sys/devices/system/cpu/cpu0/thermal_throttle",
    "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/fs/pstore", "/sys/fs/fuse/connections", "/sys/module",
    "/sys/block", "/sys/dev/block",
)  # fmt: skip
READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger")

RLIMITS = (
    ("RLIMIT_NOFILE", 8192, 20000),  # open files; never above the engine's own hard limit (it may not raise it)
    ("RLIMIT_CORE", 0, 0),  # no core dumps onto the disk, none piped to the host's core_pattern
    ("RLIMIT_NPROC", 1024, 4096),
    ("RLIMIT_MEMLOCK", 8 << 20, 8 << 20),
    ("RLIMIT_MSGQUEUE", 196608, 196608),  # two default queues: root's own limit is shared by all sandboxes, and is 800 KiB by default
    ("RLIMIT_RTPRIO", 0, 0),
    ("RLIMIT_SIGPENDING", 2048, 4096),
)

# user.* limits, per sandbox because they are counted in its user namespace. Nested user and time namespaces: none, a second lock
# beside seccomp's.
DOCKER_NAMESPACES = {"user": 0, "net": 64, "mnt": 256, "pid": 128, "ipc": 128, "uts": 128, "cgroup": 128, "time": 0}
INOTIFY = {"max_inotify_instances": 128, "max_inotify_watches": 16384}


def _mount(destination: str, kind: str, *options: str, source: str | None = None) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source or kind, "options": list(options)}


def _mounts(sys_options: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """Each tmpfs has a size and an inode limit: both count as the sandbox's memory, and a fresh one is what a reboot gives."""
    safe = ("nosuid", "noexec", "nodev")
    return (
        _mount("/proc", "proc", *safe),
        _mount("/dev", "tmpfs", "nosuid", "noexec", "mode=755", "size=64k", "nr_inodes=1k"),
        _mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "max=64", "gid=5"),
        _mount("/dev/shm", "tmpfs", *safe, "mode=1777", "size=64m", source="shm"),  # noqa: S108
        _mount("/dev/mqueue", "mqueue", *safe),
        _mount("/sys", "sysfs", *safe, *sys_options),
        _mount("/sys/fs/cgroup", "cgroup", *safe, "relatime", *sys_options),
        _mount("/run", "tmpfs", "nosuid", "nodev", "mode=755", "size=32m", "nr_inodes=4k"),
        _mount("/tmp", "tmpfs", "nosuid", "nodev", "mode=1777", "size=128m", "nr_inodes=32k"),  # noqa: S108
    )


@dataclass(frozen=True)
class Profile:
    """All that a security class decides. `user_limits` are the user.max_* sysctls of its user namespace."""

    name: ProfileName
    capabilities: tuple[str, ...]
    nesting: bool
    mounts: tuple[dict[str, Any], ...]
    readonly: tuple[str, ...]
    user_limits: dict[str, int] = field(default_factory=dict)

    @property
    def seccomp(self) -> dict[str, Any]:
        return seccomp(frozenset(self.capabilities), self.nesting)


def _user_limits(namespaces: dict[str, int]) -> dict[str, int]:
    return {f"max_{name}_namespaces": count for name, count in namespaces.items()} | INOTIFY


PROFILES: dict[ProfileName, Profile] = {
    "basic": Profile(
        name="basic",
        capabilities=BASIC_CAPABILITIES,
        nesting=False,
        mounts=_mounts(sys_options=("ro",)),
        # On version 1 runc mounts a writable tmpfs above the hierarchies, whatever the mount's options say.
        readonly=(*READONLY, "/proc/sys", "/sys/fs/cgroup"),
        user_limits=_user_limits(dict.fromkeys(DOCKER_NAMESPACES, 0)),
    ),
    "docker": Profile(
        name="docker",
        capabilities=DOCKER_CAPABILITIES,
        nesting=True,
        # Docker writes cgroups and network sysctls: neither is read-only here.
        mounts=_mounts(sys_options=()),
        readonly=READONLY,
        user_limits=_user_limits(DOCKER_NAMESPACES),
    ),
}
