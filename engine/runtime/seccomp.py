"""The system calls a sandbox may make: the containers-common profile, resolved for a profile's capabilities, minus our own list.

Source: /usr/share/containers/seccomp.json of Debian's golang-github-containers-common (the profile Podman and CRI-O ship), so that
additions come with the distribution; what follows is only where we differ, each with its reason.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from engine.runtime.errors import HostNotReady

SOURCE = Path("/usr/share/containers/seccomp.json")
ENOSYS, EPERM = 38, 1

# Programs take ENOSYS for "an older kernel" and fall back, so these answer so rather than EPERM.
ABSENT = frozenset({
    "clone3",  # its flags are in memory, where seccomp cannot see a NEWUSER; libc falls back to clone
    "fsopen", "fsconfig", "fsmount", "fspick", "open_tree", "move_mount", "mount_setattr",  # new mount API: CVE-2022-0185's class
    "io_uring_setup", "io_uring_enter", "io_uring_register",  # a second system call table, past seccomp
    "keyctl",  # keyrings are not namespaced: CVE-2016-0728
    "socketcall", "syscall", "readdir", "remap_file_pages", "epoll_ctl_old", "epoll_wait_old",  # none on x86_64, or long dead
    "clock_adjtime64",
})  # fmt: skip

DENIED = frozenset({
    "bpf", "perf_event_open", "userfaultfd",  # kernel attack surface: CVE-2021-3490, CVE-2013-2094, UAF exploits' timing tool
    "open_by_handle_at", "name_to_handle_at",  # the 2014 "shocker" escape: files by inode, outside the mount namespace
    "kcmp", "process_vm_readv", "process_vm_writev", "pidfd_getfd",  # reach into another process
    "quotactl", "quotactl_fd", "swapon", "swapoff", "acct", "reboot", "kexec_load", "kexec_file_load",  # the host's business
    "init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms",
    "add_key", "request_key",  # keyrings, as keyctl
    "fanotify_init", "fanotify_mark",  # watches whole mounts
    "lookup_dcookie", "syslog",  # kernel addresses and messages
    "clock_settime", "clock_settime64", "settimeofday", "stime",  # time is not namespaced
    "mbind", "set_mempolicy", "migrate_pages", "move_pages",  # NUMA placement is the host's; CVE-2016-5195's helpers
    "modify_ldt", "iopl", "ioperm", "vm86", "vm86old",  # CVE-2015-5157 (LDT), ports
    "uselib", "ustat", "sysfs", "nfsservctl", "bdflush", "vhangup", "vmsplice",  # obsolete or exploit tools (CVE-2022-0847)
    "io_pgetevents", "pciconfig_iobase", "pciconfig_read", "pciconfig_write",
})  # fmt: skip

# Newer than the Debian 12 source, harmless, and wanted by current libc and Go.
ADDED = frozenset({
    "cachestat", "fchmodat2", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "map_shadow_stack", "mseal",
})  # fmt: skip

# What `docker` needs beyond `basic`: mounts and namespaces for the containers its engine makes.
NESTING = frozenset({"mount", "umount", "umount2", "pivot_root", "setns", "unshare", "sethostname", "setdomainname"})

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET = 1, 2, 10, 16, 17
NEW_USER_OR_TIME = 0x10000080  # CLONE_NEWUSER | CLONE_NEWTIME: a bounding set means nothing in a new user namespace
ANY_NAMESPACE = 0x7E020080  # ... | NEWCGROUP NEWUTS NEWIPC NEWPID NEWNET NEWNS
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF, 0x40000, 0x40008)  # last two: ADDR_NO_RANDOMIZE (gdb)


@cache
def _source() -> dict[str, Any]:
    try:
        return dict(json.loads(SOURCE.read_text()))
    except FileNotFoundError:
        raise HostNotReady(f"{SOURCE} is missing: apt-get install golang-github-containers-common") from None


def _allowed_by_source(capabilities: frozenset[str]) -> set[str]:
    """Names the source allows without conditions on arguments, for x86_64 and these capabilities."""
    names: set[str] = set()
    for rule in _source()["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        if (
            rule["action"] == "SCMP_ACT_ALLOW"
            and not rule.get("args")
            and set(includes.get("caps", ())) <= capabilities
            and not set(excludes.get("caps", ())) & capabilities
            and ("arches" not in includes or "amd64" in includes["arches"])
        ):
            names |= set(rule["names"])
    return names


def _rule(names: list[str], action: str = "SCMP_ACT_ALLOW", **extra: Any) -> dict[str, Any]:
    return {"names": names, "action": action, **extra}


def _argument(index: int, value: int, op: str, value_two: int = 0) -> list[dict[str, Any]]:
    return [{"index": index, "value": value, "valueTwo": value_two, "op": op}]


def seccomp(capabilities: frozenset[str], nesting: bool) -> dict[str, Any]:
    """The OCI `linux.seccomp` object. `nesting`: the profile makes containers of its own.

    Default ENOSYS; x86_64 only, so no 32-bit or x32 entry avoids the filter.
    """
    names = _allowed_by_source(capabilities) | ADDED
    names -= ABSENT | DENIED | {"clone", "socket", "personality"}
    names = names | NESTING if nesting else names - NESTING
    names.discard("unshare")
    flags = NEW_USER_OR_TIME if nesting else ANY_NAMESPACE
    rules = [
        _rule(sorted(names)),
        _rule(sorted(DENIED), "SCMP_ACT_ERRNO", errnoRet=EPERM),
        _rule(["clone"], args=_argument(0, flags, "SCMP_CMP_MASKED_EQ")),
    ]
    if nesting:
        rules.append(_rule(["unshare"], args=_argument(0, NEW_USER_OR_TIME, "SCMP_CMP_MASKED_EQ")))
    rules += [_rule(["personality"], args=_argument(0, value, "SCMP_CMP_EQ")) for value in PERSONALITIES]
    # An allow-list of families: AF_VSOCK reaches the hypervisor, AF_ALG and the rest are attack surface.
    families = [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] + ([AF_PACKET] if nesting else [])
    rules += [_rule(["socket"], args=_argument(0, family, "SCMP_CMP_EQ")) for family in families]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": ENOSYS,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": rules,
    }
