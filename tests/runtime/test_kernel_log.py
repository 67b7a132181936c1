"""The kernel's log names what it killed, whatever name a process gave itself."""

import pytest

from engine.runtime import cgroups, disk, kernel_log, sandbox
from engine.runtime.host import Host
from engine.runtime.spec import MIB
from tests.bomb import BOMB
from tests.conftest import Make, Run

ONE, OTHER = "c0ec97fa2553457cb3ed9fb99591931a", "9ffddb86d2de4efeb43cc9708649edf1"


def _victim(number: int, sandbox_id: str, pid: int, name: str = "node") -> str:
    group = f"/playground-1/{sandbox_id}"
    text = (
        f"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset={sandbox_id},mems_allowed=0,oom_memcg={group},"
        f"task_memcg={group},task={name},pid={pid},uid=-2147418112"
    )
    return f"6,{number},{number}000,-;{text}\n SUBSYSTEM=none\n"


def _killed(number: int, pid: int, name: str = "node", uid: int = 2147549184) -> str:
    text = (
        f"Memory cgroup out of memory: Killed process {pid} ({name}) total-vm:270448kB, anon-rss:258048kB, file-rss:5592kB, "
        f"shmem-rss:1024kB, UID:{uid} pgtables:568kB oom_score_adj:700"
    )
    return f"3,{number},{number}000,-;{text}\n"


def test_it_works() -> None:
    kills = list(kernel_log.parse([_victim(1, ONE, 7), "6,2,2000,-;eth0: link up\n", _killed(3, 7), _victim(4, OTHER, 8), _killed(5, 8)]))
    assert [(kill.sequence, kill.pid, kill.name, kill.memory) for kill in kills] == [(3, 7, "node", 253 * MIB), (5, 8, "node", 253 * MIB)]
    assert [kill.group for kill in kills] == [f"/playground-1/{ONE}", f"/playground-1/{OTHER}"]


@pytest.mark.parametrize("name", ["x,pid=1,uid=0", ") total-vm:1kB", "a b\\x0ac", f"oom_memcg=/{OTHER[:4]},t"])
def test_a_process_cannot_talk_its_way_into_another_sandbox(name: str) -> None:
    (kill,) = kernel_log.parse([_victim(1, ONE, 7, name), _killed(2, 7, name)])
    assert (kill.pid, kill.name, kill.group, kill.memory) == (7, name, f"/playground-1/{ONE}", 253 * MIB)


def test_where_the_kernel_cut_the_first_line_the_user_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    log = [_killed(1, 7, uid=1000), _killed(2, 8, uid=2000), _victim(3, OTHER, 9), _killed(4, 9, uid=1001), _killed(5, 10, uid=1002)]
    monkeypatch.setattr(kernel_log, "records", lambda: iter(log))
    assert [kill.pid for kill in kernel_log.oom_kills(ONE, range(1000, 1500))] == [7, 10]
    assert [kill.pid for kill in kernel_log.oom_kills(ONE, range(1000, 1500), after=1)] == [10]


@pytest.mark.kernel
def test_a_real_kill_is_counted_and_named(host: Host, make: Make, run: Run) -> None:
    spec = make()
    path = f"{host.cgroup}/{spec.id}"
    before = cgroups.counters(path)
    assert before.oom_kills == before.pids_refused == 0
    assert run(spec.id, "python3", "-c", "hold = [bytearray(1 << 20) for _ in range(1024)]").returncode == 137
    after = cgroups.counters(path)
    assert after.oom_kills == 1
    assert after.cpu > before.cpu
    (kill,) = kernel_log.oom_kills(spec.id, range(0))
    assert kill.name == "python3"
    assert 200 * MIB < kill.memory <= spec.limits.memory
    assert 200 * MIB < (cgroups.memory_peak(path) or 0) <= spec.limits.memory


@pytest.mark.kernel
def test_a_real_fork_bomb_is_counted(host: Host, make: Make, run: Run) -> None:
    spec = make(pids=32)
    run(spec.id, "python3", "-c", BOMB)
    assert cgroups.counters(f"{host.cgroup}/{spec.id}").pids_refused >= 1


@pytest.mark.kernel
def test_space_on_its_disk_is_seen_from_outside(host: Host, make: Make, run: Run) -> None:
    spec = make(disk=96 * MIB)
    pid = sandbox.inspect(host, spec.id).pid
    assert pid is not None
    empty = disk.space(pid, spec.limits.disk)
    run(spec.id, "sh", "-c", "head -c 200000000 /dev/zero > /root/large")
    full = disk.space(pid, spec.limits.disk)
    assert empty is not None
    assert full is not None
    assert empty.free > 80 * MIB
    assert full.free < 1 * MIB
    sandbox.destroy(host, spec.id)
    assert disk.space(pid, spec.limits.disk) is None
