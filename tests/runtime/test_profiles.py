"""The two security classes, held against what the design promises."""

from engine.runtime.profiles import BASIC_CAPABILITIES, DOCKER_CAPABILITIES, MASKED, PROFILES

# Each of these reaches the host, or a kernel subsystem no lesson needs.
NEVER = {
    "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_BOOT", "CAP_SYS_TIME", "CAP_SYS_RESOURCE", "CAP_SYS_NICE", "CAP_SYSLOG", "CAP_BPF",
    "CAP_PERFMON", "CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND", "CAP_LINUX_IMMUTABLE", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_LEASE", "CAP_CHECKPOINT_RESTORE",
    "CAP_SYS_PACCT", "CAP_SYS_TTY_CONFIG", "CAP_NET_BROADCAST",
}  # fmt: skip


def test_docker_adds_five_capabilities_to_basics_twelve() -> None:
    added = {"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_MKNOD"}
    assert set(DOCKER_CAPABILITIES) - set(BASIC_CAPABILITIES) == added
    assert set(BASIC_CAPABILITIES) < set(DOCKER_CAPABILITIES)
    assert (len(BASIC_CAPABILITIES), len(DOCKER_CAPABILITIES)) == (12, 17)


def test_no_profile_has_a_capability_that_reaches_further() -> None:
    assert not NEVER & set(DOCKER_CAPABILITIES)


def test_no_profile_may_nest_user_or_time_namespaces() -> None:
    for profile in PROFILES.values():
        assert profile.user_limits["max_user_namespaces"] == profile.user_limits["max_time_namespaces"] == 0


def test_basic_may_nest_no_namespace_at_all_and_docker_a_bounded_number() -> None:
    basic, docker = (PROFILES[name].user_limits for name in ("basic", "docker"))
    kinds = [name for name in basic if name.endswith("_namespaces")]
    assert len(kinds) == 8
    assert {basic[name] for name in kinds} == {0}
    assert 0 < docker["max_net_namespaces"] <= 256
    assert 0 < docker["max_mnt_namespaces"] <= 256


def test_paths_that_tell_of_the_host_are_masked() -> None:
    assert {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/sys/kernel/security", "/sys/module"} <= set(MASKED)
