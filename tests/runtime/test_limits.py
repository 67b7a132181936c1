"""The limits of a sandbox hold, and what runs into one hurts nobody else."""

import pytest

from engine.runtime import cgroups, sandbox
from engine.runtime.host import Host
from engine.runtime.spec import MIB
from tests.conftest import Make, Run
from tests.waiting import until

pytestmark = pytest.mark.kernel


def _limit(host: Host, sandbox_id: str, controller: str, v1: str, v2: str) -> str:
    if cgroups.unified():
        return (cgroups.ROOT / host.cgroup / sandbox_id / v2).read_text().strip()
    return (cgroups.ROOT / controller / host.cgroup / sandbox_id / v1).read_text().strip()


def test_a_program_that_takes_too_much_memory_is_killed_and_nothing_else(host: Host, make: Make, run: Run) -> None:
    spec = make(terminals=1)
    greedy = run(spec.id, "python3", "-c", "hold = [bytearray(1 << 20) for _ in range(1024)]")
    assert greedy.returncode == 137
    assert sandbox.alive(host, spec.id)
    assert run(spec.id, "echo", "still here").stdout == b"still here\n"
    most = int(_limit(host, spec.id, "memory", "memory.max_usage_in_bytes", "memory.peak"))
    assert 200 * MIB < most <= spec.limits.memory


def test_a_fork_bomb_is_bounded_and_its_sandbox_can_still_be_destroyed(host: Host, make: Make, run: Run) -> None:
    spec = make()
    bomb = """
import os, signal
made = 0
try:
    while made < 1000:
        if os.fork() == 0:
            for stream in (0, 1, 2):
                os.close(stream)
            signal.pause()
        made += 1
except BlockingIOError:
    print(made)
"""
    made = int(run(spec.id, "python3", "-c", bomb).stdout)
    assert 100 < made < spec.limits.pids
    assert int(_limit(host, spec.id, "pids", "pids.current", "pids.current")) <= spec.limits.pids
    sandbox.destroy(host, spec.id)
    until(lambda: not cgroups.processes(f"{host.cgroup}/{spec.id}"), "no process is left")


def test_a_full_disk_is_the_sandboxs_own(host: Host, make: Make, run: Run) -> None:
    spec = make(disk=96 * MIB)
    full = run(spec.id, "dd", "if=/dev/urandom", "of=/root/large", "bs=1M", "count=200")
    assert full.returncode == 1
    assert b"No space left on device" in full.stderr
    on_the_host = (host.directory(spec.id) / "disk.img").stat()
    assert on_the_host.st_size == spec.limits.disk
    assert on_the_host.st_blocks * 512 <= spec.limits.disk
    assert run(spec.id, "rm", "/root/large").returncode == 0
    assert run(spec.id, "sh", "-c", "echo fits > /root/small && cat /root/small").stdout == b"fits\n"


@pytest.mark.parametrize(("place", "size"), [("/tmp", 128 * MIB), ("/dev/shm", 64 * MIB), ("/run", 32 * MIB)])
def test_a_tmpfs_is_bounded(make: Make, run: Run, place: str, size: int) -> None:
    spec = make()
    written = run(spec.id, "sh", "-c", f"head -c {size + MIB} /dev/zero > {place}/large; stat -c %s {place}/large")
    assert b"No space left on device" in written.stderr
    assert int(written.stdout) == size


def test_processor_time_is_bounded(host: Host, make: Make) -> None:
    spec = make(cpus=0.5)
    if cgroups.unified():
        assert _limit(host, spec.id, "cpu", "", "cpu.max") == "50000 100000"
    else:
        assert _limit(host, spec.id, "cpu", "cpu.cfs_quota_us", "") == "50000"
        assert _limit(host, spec.id, "cpu", "cpu.cfs_period_us", "") == "100000"


@pytest.mark.parametrize("image", ["linux", "docker"])
def test_root_inside_cannot_lift_its_own_limits(host: Host, make: Make, run: Run, image: str) -> None:
    spec = make(image)
    script = """
for file in $(find /sys/fs/cgroup -maxdepth 2 -name memory.limit_in_bytes -o -maxdepth 2 -name memory.max -o -maxdepth 2 -name pids.max); do
    if echo 9999999999 > "$file"; then echo "wrote $file"; fi
done 2>/dev/null
"""
    assert run(spec.id, "sh", "-c", script).stdout == b""
    assert _limit(host, spec.id, "memory", "memory.limit_in_bytes", "memory.max") == str(spec.limits.memory)
    assert _limit(host, spec.id, "pids", "pids.max", "pids.max") == str(spec.limits.pids)


def test_the_groups_a_docker_sandbox_makes_are_counted(host: Host, make: Make, run: Run) -> None:
    spec = make("docker")
    before = sandbox.child_cgroups(host, spec.id)
    run(spec.id, "sh", "-c", "for n in $(seq 40); do mkdir /sys/fs/cgroup/memory/x$n || mkdir /sys/fs/cgroup/x$n; done 2>/dev/null")
    assert sandbox.child_cgroups(host, spec.id) == before + 40


def test_a_group_that_a_docker_sandbox_makes_can_have_a_limit(make: Make, run: Run) -> None:
    """On version 2 only if no process is in the sandbox's own group: neither PID 1 nor who comes later."""
    spec = make("docker", terminals=1)
    place = "g=/sys/fs/cgroup/memory f=memory.limit_in_bytes; [ -d $g ] || { g=/sys/fs/cgroup f=memory.max; }"
    script = "mkdir $g/own && echo 33554432 > $g/own/$f && echo $$ > $g/own/cgroup.procs && cat $g/own/$f"
    assert run(spec.id, "sh", "-c", f"{place}; {script}").stdout == b"33554432\n"
    assert run(spec.id, "echo", "let in later").stdout == b"let in later\n"
