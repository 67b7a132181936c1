"""What a sandbox sees of its host, and what its root may do: asked inside, of the real kernel."""

import json
from pathlib import Path

import pytest

from engine.runtime import sandbox
from engine.runtime.host import Host
from engine.runtime.images import current
from engine.runtime.profiles import PROFILES
from tests.conftest import Make, Run

pytestmark = pytest.mark.kernel

# Source: include/uapi/linux/capability.h
NUMBERS = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_FSETID": 4, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7,
    "CAP_SETPCAP": 8, "CAP_NET_BIND_SERVICE": 10, "CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_CHROOT": 18, "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27, "CAP_AUDIT_WRITE": 29, "CAP_SETFCAP": 31,
}  # fmt: skip
both = pytest.mark.parametrize("image", ["linux", "docker"])


@both
def test_capabilities_are_those_of_the_profile(host: Host, make: Make, run: Run, image: str) -> None:
    spec = make(image, terminals=1)
    mask = sum(1 << NUMBERS[name] for name in PROFILES[spec.profile].capabilities)
    for pid in ("1", "self"):
        lines = run(spec.id, "cat", f"/proc/{pid}/status").stdout.decode().splitlines()
        found = {name: int(value, 16) for name, _, value in (line.partition(":\t") for line in lines) if name.startswith("Cap")}
        assert found == {"CapInh": 0, "CapPrm": mask, "CapEff": mask, "CapBnd": mask, "CapAmb": 0}


@both
def test_mounts_show_no_path_of_the_host(host: Host, make: Make, run: Run, image: str) -> None:
    spec = make(image)
    mounts = run(spec.id, "cat", "/proc/self/mountinfo", "/proc/1/mountinfo", "/proc/self/cgroup").stdout.decode()
    assert "overlay" in mounts
    for secret in (str(host.state), str(host.images.resolve()), spec.id, host.cgroup, "sandboxes"):
        assert secret not in mounts
    bundle = json.loads((host.directory(spec.id) / "config.json").read_text())
    assert bundle["root"]["path"] not in mounts


@both
def test_it_has_a_name_and_a_machine_id_of_its_own(host: Host, make: Make, run: Run, image: str) -> None:
    one, other = make(image, hostname="web-1"), make(image)
    assert run(one.id, "cat", "/proc/sys/kernel/hostname", "/etc/hostname").stdout == b"web-1\nweb-1\n"
    assert run(one.id, "cat", "/etc/machine-id").stdout.decode().strip() == one.id
    assert run(other.id, "cat", "/etc/machine-id").stdout.decode().strip() == other.id
    assert run(one.id, "getent", "hosts", "web-1").stdout.split()[0].decode() == str(sandbox.inspect(host, one.id).slot.address)  # type: ignore[union-attr]


@both
def test_its_users_are_nobody_on_the_host_and_its_neighbours(host: Host, make: Make, run: Run, image: str) -> None:
    ranges = []
    for spec in (make(image), make(image)):
        inside, outside, size = map(int, run(spec.id, "cat", "/proc/self/uid_map").stdout.split())
        assert (inside, size) == (0, 65536)
        assert run(spec.id, "cat", "/proc/self/gid_map").stdout.split()[1] == str(outside).encode()
        pid = sandbox.inspect(host, spec.id).pid
        assert Path(f"/proc/{pid}").stat().st_uid == outside
        ranges.append(range(outside, outside + size))
    assert not set(ranges[0]) & {ranges[1][0], ranges[1][-1]}
    assert min(entry[0] for entry in ranges) > 0x70000000


def test_it_sees_only_its_own_processes(make: Make, run: Run) -> None:
    spec = make(terminals=0)
    names = run(spec.id, "sh", "-c", "cat /proc/[0-9]*/comm").stdout.decode().split()
    assert names[0] == "tini"
    assert set(names) <= {"tini", "sleep", "sh", "cat"}


@pytest.mark.parametrize(("image", "allowed"), [("linux", set()), ("docker", {"--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup"})])
def test_which_namespaces_it_may_make(make: Make, run: Run, image: str, allowed: set[str]) -> None:
    spec = make(image)
    kinds = {"--user", "--time", "--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup"}
    assert {kind for kind in kinds if run(spec.id, "unshare", kind, "true").returncode == 0} == allowed


@both
def test_namespaces_are_counted_per_sandbox(make: Make, run: Run, image: str) -> None:
    spec = make(image)
    for name, value in PROFILES[spec.profile].user_limits.items():
        assert run(spec.id, "cat", f"/proc/sys/user/{name}").stdout.decode().strip() == str(value), name


def test_its_root_cannot_raise_those_counts(make: Make, run: Run) -> None:
    spec = make("docker")
    assert run(spec.id, "sh", "-c", "echo 9 > /proc/sys/user/max_user_namespaces").returncode != 0


SYSTEM_CALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
calls = {"bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "open_by_handle_at": 304, "kcmp": 312, "process_vm_readv": 310,
         "pidfd_getfd": 438, "kexec_load": 246, "init_module": 175, "add_key": 248, "io_uring_setup": 425, "fsopen": 430,
         "move_mount": 429, "open_tree": 428, "clone3": 435, "quotactl": 179, "swapon": 167, "syslog": 103, "fanotify_init": 300,
         "reboot": 169, "settimeofday": 164, "iopl": 172, "keyctl": 250}
for name, number in calls.items():
    ctypes.set_errno(0)
    libc.syscall(number, 0, 0, 0, 0, 0)
    print(name, errno.errorcode.get(ctypes.get_errno(), "let through"))
"""


@both
def test_dangerous_system_calls_do_not_reach_the_kernel(make: Make, run: Run, image: str) -> None:
    spec = make(image)
    answers = dict(line.split(" ", 1) for line in run(spec.id, "python3", "-c", SYSTEM_CALLS).stdout.decode().splitlines())
    assert len(answers) == 23
    assert {name: word for name, word in answers.items() if word not in ("EPERM", "ENOSYS")} == {}
    assert answers["clone3"] == answers["io_uring_setup"] == "ENOSYS", "programs fall back on this one only"


FAMILIES = """
import socket
for family in range(1, 46):
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
        print(family)
    except OSError:
        pass
"""


@pytest.mark.parametrize(("image", "families"), [("linux", {1, 2}), ("docker", {1, 2, 17})])
def test_only_a_few_kinds_of_socket_open(make: Make, run: Run, image: str, families: set[int]) -> None:
    spec = make(image)
    opened = set(map(int, run(spec.id, "python3", "-c", FAMILIES).stdout.split()))
    assert families <= opened <= families | {10, 16}


@both
def test_no_device_of_the_host_can_be_made_or_opened(make: Make, run: Run, image: str) -> None:
    spec = make(image)
    run(spec.id, "mknod", "/root/disk", "b", "7", "0")
    assert run(spec.id, "head", "-c1", "/root/disk").returncode != 0
    assert run(spec.id, "sh", "-c", "ls /dev/loop* /dev/kmsg /dev/mem /dev/kvm /dev/fuse").stdout == b""


@both
def test_switches_of_the_host_do_not_move(make: Make, run: Run, image: str) -> None:
    spec = make(image)
    for file in ("/proc/sys/vm/drop_caches", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/panic"):
        assert Path(file).exists()
        assert run(spec.id, "sh", "-c", f"echo 0 > {file}").returncode != 0, file


def test_what_it_writes_stays_its_own(host: Host, make: Make, run: Run) -> None:
    one, other = make(), make()
    image = current(host.images, "linux").rootfs
    before = (image / "usr/bin/ls").stat()
    assert run(one.id, "sh", "-c", "echo mine > /usr/bin/new && rm /usr/bin/tree && echo > /usr/bin/ls").returncode == 0
    assert run(other.id, "sh", "-c", "test -e /usr/bin/tree && test ! -e /usr/bin/new && ls /").returncode == 0
    assert (image / "usr/bin/ls").stat() == before
    assert not (image / "usr/bin/new").exists()
    assert (image / "usr/bin/tree").exists()


def test_other_users_of_the_host_cannot_look_into_its_files(host: Host, make: Make) -> None:
    spec = make(terminals=1)
    directory = host.directory(spec.id)
    assert (directory / "disk.img").stat().st_mode & 0o777 == 0o600
    for entry in (directory, host.sandboxes):
        assert entry.stat().st_mode & 0o777 == 0o711
    terminal = directory / "terminals" / "1"
    assert (terminal.stat().st_mode & 0o777, terminal.stat().st_gid) == (0o750, host.gateway_group)
    assert {name: (terminal / name).stat().st_mode & 0o007 for name in ("attach", "log", "winsz", "ctl")} == dict.fromkeys(
        ("attach", "log", "winsz", "ctl"), 0
    )
