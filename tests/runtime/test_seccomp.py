"""The system calls a sandbox may make."""

import json
from typing import Any

import pytest

from engine.runtime import seccomp
from engine.runtime.profiles import PROFILES
from engine.runtime.spec import ProfileName

CLONE_FLAGS = {
    "NEWTIME": 0x80, "NEWNS": 0x20000, "NEWCGROUP": 0x02000000, "NEWUTS": 0x04000000, "NEWIPC": 0x08000000, "NEWUSER": 0x10000000,
    "NEWPID": 0x20000000, "NEWNET": 0x40000000,
}  # fmt: skip
both = pytest.mark.parametrize("profile", ["basic", "docker"])


def _unconditional(profile: ProfileName) -> set[str]:
    rules = PROFILES[profile].seccomp["syscalls"]
    return {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule for name in rule["names"]}


def _conditional(profile: ProfileName, call: str) -> list[dict[str, Any]]:
    return [rule["args"][0] for rule in PROFILES[profile].seccomp["syscalls"] if rule["names"] == [call]]


@both
def test_an_unknown_call_is_an_older_kernels_and_only_one_architecture_enters(profile: ProfileName) -> None:
    filter_ = PROFILES[profile].seccomp
    assert (filter_["defaultAction"], filter_["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert filter_["architectures"] == ["SCMP_ARCH_X86_64"]


@both
def test_every_allowed_name_is_the_sources_or_one_we_added(profile: ProfileName) -> None:
    source = {name for rule in json.loads(seccomp.SOURCE.read_text())["syscalls"] for name in rule["names"]}
    assert not _unconditional(profile) - source - seccomp.ADDED


@both
def test_what_is_denied_or_absent_is_allowed_nowhere(profile: ProfileName) -> None:
    allowed = {name for rule in PROFILES[profile].seccomp["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert not allowed & (seccomp.DENIED | seccomp.ABSENT)
    denials = [rule for rule in PROFILES[profile].seccomp["syscalls"] if rule["action"] == "SCMP_ACT_ERRNO"]
    assert [(frozenset(rule["names"]), rule["errnoRet"]) for rule in denials] == [(seccomp.DENIED, 1)]


@pytest.mark.parametrize(
    "name",
    ["bpf", "perf_event_open", "userfaultfd", "open_by_handle_at", "kcmp", "process_vm_readv", "pidfd_getfd", "kexec_load", "reboot",
     "init_module", "finit_module", "keyctl", "add_key", "io_uring_setup", "fsopen", "move_mount", "open_tree", "clone3", "quotactl",
     "swapon", "syslog", "fanotify_init", "lookup_dcookie", "iopl", "settimeofday"],
)  # fmt: skip
def test_the_dangerous_are_denied_by_name(name: str) -> None:
    assert name in seccomp.DENIED | seccomp.ABSENT


def test_no_call_is_both_denied_and_absent_or_added() -> None:
    assert not seccomp.DENIED & seccomp.ABSENT
    assert not seccomp.ADDED & (seccomp.DENIED | seccomp.ABSENT)


def test_basic_neither_mounts_nor_makes_namespaces() -> None:
    calls = {"mount", "umount2", "pivot_root", "setns", "unshare", "sethostname"}
    assert not _unconditional("basic") & calls
    assert _conditional("basic", "unshare") == []
    (clone,) = _conditional("basic", "clone")
    assert clone["op"] == "SCMP_CMP_MASKED_EQ"
    assert clone["valueTwo"] == 0
    assert all(clone["value"] & flag for flag in CLONE_FLAGS.values())


def test_docker_makes_namespaces_but_no_user_and_no_time_namespace() -> None:
    assert {"mount", "umount2", "pivot_root", "setns"} <= _unconditional("docker")
    for call in ("clone", "unshare"):
        (mask,) = _conditional("docker", call)
        assert (mask["op"], mask["valueTwo"]) == ("SCMP_CMP_MASKED_EQ", 0)
        assert {name for name, flag in CLONE_FLAGS.items() if mask["value"] & flag} == {"NEWUSER", "NEWTIME"}


@pytest.mark.parametrize(("profile", "families"), [("basic", {1, 2, 10, 16}), ("docker", {1, 2, 10, 16, 17})])
def test_sockets_are_of_listed_families_only(profile: ProfileName, families: set[int]) -> None:
    rules = _conditional(profile, "socket")
    assert {rule["value"] for rule in rules} == families
    assert {rule["op"] for rule in rules} == {"SCMP_CMP_EQ"}
    assert "socket" not in _unconditional(profile)


@both
def test_everyday_calls_are_there(profile: ProfileName) -> None:
    assert {"read", "write", "openat", "execve", "mmap", "futex", "epoll_wait", "ptrace", "chown", "statx"} <= _unconditional(profile)
