"""A limit that a machine runs into shows at once, with figures; and a machine that works is not idle."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from engine import clock, pressure, tasks
from engine.describe import describe
from engine.lifecycle import request_sandbox, stop_sandbox
from engine.models import Node, Sandbox
from engine.pressure import Look, Reading, Seen, compare
from engine.runtime import cgroups
from engine.runtime import sandbox as runtime
from engine.runtime.cgroups import Counters
from engine.runtime.disk import Space
from engine.runtime.host import Host
from engine.runtime.kernel_log import OomKill
from engine.runtime.spec import MIB
from tests.bomb import BOMB
from tests.conftest import Run
from tests.engine import paper
from tests.engine.conftest import SMALL
from tests.waiting import until

ROW = Sandbox(memory=256 * MIB, cpus=1, pids=64, disk=1024 * MIB, last_activity_at=timezone.now())
ROOM = Space(free=900 * MIB, size=1000 * MIB, files_free=10_000)


def _reading(at: float = 0, oom: int = 0, refused: int = 0, cpu: float = 0, space: Space | None = ROOM, output: float = 1) -> Reading:
    return Reading(monotonic=at, counters=Counters(oom_kills=oom, pids_refused=refused, cpu=cpu), space=space, output=output)


def _kinds(found: Look) -> list[str]:
    return [item["kind"] for item in found.notices]


def test_it_works() -> None:
    kill = OomKill(sequence=7, pid=3, name="node", memory=240 * MIB, uid=1, group="")
    seen, found = compare(Seen(_reading()), _reading(5, oom=1), [kill], ROW)
    (told,) = found.notices
    assert told["title"] == "Your machine ran out of memory"
    assert told["text"].startswith("`node` used 240 of 256 MiB and was stopped. Your files are safe.")
    assert compare(seen, _reading(10, oom=1), [], ROW)[1].notices == ()


def test_nothing_is_said_of_a_quiet_machine() -> None:
    assert compare(None, _reading(), [], ROW)[1] == Look()
    assert compare(Seen(_reading()), _reading(5), [], ROW)[1] == Look()


def test_memory_that_files_hold_is_named_as_such() -> None:
    kill = OomKill(sequence=7, pid=3, name="ls", memory=2 * MIB, uid=1, group="")
    _, found = compare(Seen(_reading()), _reading(5, oom=2), [kill, replace(kill, sequence=8)], ROW)
    assert "/dev/shm" in found.notices[0]["text"]
    assert "and 1 more with it" in found.notices[0]["text"]


def test_a_fork_bomb_is_told_of_once_a_minute() -> None:
    seen, told = Seen(_reading()), []
    for second in range(5, 130, 5):
        seen, found = compare(seen, _reading(second, refused=second), [], ROW)
        told += [second] * len(found.notices)
    assert told == [5, 65, 125]


def test_a_full_disk_is_told_of_once_until_there_is_room_again() -> None:
    full, some = replace(ROOM, free=MIB), replace(ROOM, free=50 * MIB)
    seen, told = Seen(_reading()), []
    for second, space in enumerate([ROOM, full, full, some, full, None, full, ROOM, full]):
        seen, found = compare(seen, _reading(second, space=space), [], ROW)
        told += [second] * len(found.notices)
    assert told == [1, 8]
    _, found = compare(Seen(_reading()), _reading(1, space=replace(ROOM, files_free=0)), [], ROW)
    assert "as many files as fit" in found.notices[0]["text"]


@pytest.mark.parametrize(("cpu", "output", "works"), [(0.2, 1, False), (0.3, 1, True), (0.0, 2, True)])
def test_a_machine_works_when_it_computes_or_prints(cpu: float, output: float, works: bool) -> None:
    assert compare(Seen(_reading()), _reading(5, cpu=cpu, output=output), [], ROW)[1].works is works


def test_counts_that_fall_are_no_limit_hit() -> None:
    """On cgroup version 1 a container that is removed takes its counts along."""
    assert compare(Seen(_reading(oom=3, refused=9)), _reading(5, oom=1, refused=2), [], ROW)[1].notices == ()


@pytest.fixture
def machine(host: Host, node: Node, ada: User) -> Iterator[Callable[..., Sandbox]]:
    def one(**wishes: object) -> Sandbox:
        sandbox = request_sandbox(ada, replace(SMALL, **wishes))  # type: ignore[arg-type]
        tasks.create_sandbox(sandbox.id.hex)
        sandbox.refresh_from_db()
        assert sandbox.state == "running", sandbox.end_detail
        log = host.directory(sandbox.id.hex) / "terminals" / "1" / "log"
        until(lambda: log.stat().st_size > 0, "the prompt is printed")
        tasks.tend()
        return sandbox

    yield one
    assert runtime.destroy_all(host) == []


def _notices(sandbox: Sandbox) -> list[dict[str, str]]:
    tasks.tend()
    sandbox.refresh_from_db()
    return list(describe(sandbox)["notices"])


@pytest.mark.kernel
@pytest.mark.django_db(transaction=True)
def test_each_limit_shows_in_the_lab_and_the_machine_lives_on(machine: Callable[..., Sandbox], run: Run) -> None:
    sandbox = machine(disk=96 * MIB, pids=48)
    assert _notices(sandbox) == []
    run(sandbox.id.hex, "python3", "-c", "hold = [bytearray(1 << 20) for _ in range(1024)]")
    (memory,) = _notices(sandbox)
    assert memory["kind"] == "memory"
    assert memory["text"].startswith("`python3` used 2")
    assert "of 256 MiB and was stopped" in memory["text"]
    run(sandbox.id.hex, "python3", "-c", BOMB)
    run(sandbox.id.hex, "sh", "-c", "head -c 200000000 /dev/zero > /root/large")
    assert [item["kind"] for item in _notices(sandbox)] == ["memory", "processes", "disk"]
    cache.clear()  # a Redis that lost everything: nothing is told twice but the disk, which still is full
    assert [item["kind"] for item in _notices(sandbox)][:3] == ["memory", "processes", "disk"]
    assert len(_notices(sandbox)) <= 4
    assert sandbox.state == "running"


@pytest.mark.kernel
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("counted", [False, True], ids=["seen dead", "a look between the kill and the death"])
def test_a_machine_that_memory_killed_says_so_with_figures(machine: Callable[..., Sandbox], run: Run, host: Host, counted: bool) -> None:
    sandbox = machine(memory=64 * MIB)
    pid = runtime.inspect(host, sandbox.id.hex).pid
    # Its first process goes last of all. Here it goes first, and files in memory, which are no process's, leave the kernel nobody else.
    Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
    run(sandbox.id.hex, "sh", "-c", "head -c 120000000 /dev/zero > /tmp/large")
    until(lambda: not runtime.alive(host, sandbox.id.hex), "it died")
    if counted:
        pressure.look(host, sandbox)
    tasks.tend()
    sandbox.refresh_from_db()
    end = describe(sandbox)["end"]
    assert (sandbox.state, end["reason"], end["title"]) == ("stopping", "out-of-memory", "Your machine ran out of memory")
    assert "64 MiB" in end["text"]
    assert "/tmp" in end["text"]
    assert "What was in the machine is gone" in end["text"]


@pytest.mark.kernel
@pytest.mark.django_db(transaction=True)
def test_a_machine_that_works_is_not_idle(machine: Callable[..., Sandbox], run: Run, host: Host) -> None:
    sandbox = machine()
    run(sandbox.id.hex, "sh", "-c", "setsid sh -c 'while :; do :; done' >/dev/null 2>&1 &")
    long_ago = timezone.now() - timedelta(minutes=20)
    begun = _cpu(host, sandbox)
    until(lambda: _cpu(host, sandbox) > begun + 0.5, "it computes", 20)
    Sandbox.objects.filter(id=sandbox.id).update(last_activity_at=long_ago)
    os.utime(host.directory(sandbox.id.hex) / "terminals" / "1" / "log", (0, 0))
    tasks.tend()
    sandbox.refresh_from_db()
    assert sandbox.state == "running"
    assert timezone.now() - sandbox.last_activity_at < timedelta(minutes=1)


def _cpu(host: Host, sandbox: Sandbox) -> float:
    return cgroups.counters(f"{host.cgroup}/{sandbox.id.hex}").cpu


@pytest.mark.kernel
@pytest.mark.django_db(transaction=True)
def test_an_open_page_is_no_activity(machine: Callable[..., Sandbox], host: Host) -> None:
    sandbox = machine()
    os.utime(host.directory(sandbox.id.hex) / "terminals" / "1" / "log", (0, 0))
    tasks.tend()  # the look that sees the log's time change
    Sandbox.objects.filter(id=sandbox.id).update(last_activity_at=timezone.now() - timedelta(minutes=16))
    describe(sandbox)
    tasks.tend()
    sandbox.refresh_from_db()
    assert (sandbox.state, sandbox.end_reason) == ("stopping", "idle")


@pytest.mark.kernel
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_ends_nothing_and_lengthens_nothing(
    machine: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, node: Node, hours: int
) -> None:
    """The rows as they look after the clock was set: what they say lies an hour in the past, or in the future."""
    sandbox = machine()
    left = sandbox.idle_ends_at - timezone.now()
    moved = timedelta(hours=hours)
    for observer in ("tend", "tick"):
        clock.jump(f"{node.name}.{observer}")
        key = f"clock.{node.name}.{observer}.{clock._boot()}"
        cache.set(key, cache.get(key) - moved.total_seconds())
    rows = Sandbox.objects.filter(id=sandbox.id)
    rows.update(**{name: getattr(sandbox, name) - moved for name in ("created_at", "started_at", "last_activity_at")})
    other = Node.objects.create(name="other", heartbeat_at=timezone.now() - moved)
    waits = paper.sandbox(sandbox.owner, None, state="queued", queued_at=timezone.now() - moved, last_activity_at=timezone.now() - moved)
    tasks.tick()
    tasks.tend()
    sandbox.refresh_from_db()
    other.refresh_from_db()
    assert sandbox.state == "running"
    assert abs(sandbox.idle_ends_at - timezone.now() - left) < timedelta(seconds=30)
    assert abs(sandbox.deadline_at - timezone.now()) < timedelta(seconds=7200)
    assert abs(other.heartbeat_at - timezone.now()) < timedelta(seconds=30)
    waits.refresh_from_db()
    assert waits.end_reason == ""


@pytest.mark.kernel
@pytest.mark.django_db(transaction=True)
def test_times_in_the_future_are_brought_back_to_now(machine: Callable[..., Sandbox]) -> None:
    sandbox = machine()
    later = timezone.now() + timedelta(hours=1)
    Sandbox.objects.filter(id=sandbox.id).update(last_activity_at=later, started_at=later)
    tasks.tend()
    sandbox.refresh_from_db()
    assert sandbox.last_activity_at <= timezone.now()
    assert sandbox.deadline_at <= timezone.now() + timedelta(seconds=sandbox.lifetime_seconds)


@pytest.mark.kernel
@pytest.mark.django_db(transaction=True)
def test_admins_words_reach_the_learner(machine: Callable[..., Sandbox]) -> None:
    sandbox = machine()
    stop_sandbox(sandbox, "admin", detail="The room is needed for the exam. Your course goes on tomorrow.")
    assert describe(sandbox)["end"]["text"] == "The room is needed for the exam. Your course goes on tomorrow."
