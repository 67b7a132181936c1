"""The worker's tasks, called as functions, on the real kernel: what a row says becomes so."""

import errno
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from engine import quotas, reconciling, tasks
from engine.describe import describe
from engine.errors import OverQuota
from engine.gateway.logfile import Segment
from engine.gateway.segments import Segments, memory_of
from engine.lifecycle import request_sandbox, stop_sandbox
from engine.models import Execution, Node, Sandbox
from engine.runtime import mounts
from engine.runtime import sandbox as runtime
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host
from tests.conftest import Run
from tests.engine.conftest import SMALL
from tests.traces import Traces
from tests.waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]
Row = Callable[..., Sandbox]
Queued = Callable[[], list[tuple[str, list[str]]]]


@pytest.fixture(autouse=True)
def _nothing_stays(host: Host) -> Iterator[None]:
    yield
    assert runtime.destroy_all(host) == []


def _tar(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"root/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def _created(user: User, **wishes: object) -> Sandbox:
    sandbox = request_sandbox(user, replace(SMALL, **wishes))  # type: ignore[arg-type]
    tasks.create_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    return sandbox


def test_it_works(host: Host, node: Node, ada: User, queued: Queued) -> None:
    sandbox = _created(ada)
    assert (sandbox.state, sandbox.claim) == ("running", "")
    assert [step["name"] for step in sandbox.steps] == ["reserve", "disk", "boot", "terminal"]
    assert sandbox.started_at is not None
    found = Traces(host, sandbox.id.hex)
    memory = memory_of(sandbox.terminals.get().id)
    Segments(memory).remember(Segment(1, 0))
    stop_sandbox(sandbox, "user", by=ada)
    tasks.destroy_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert (sandbox.state, sandbox.end_reason, sandbox.claim) == ("stopped", "user", "")
    assert found.left() == {}
    assert not memory.exists()


def test_files_and_set_up_come_before_the_prompt(host: Host, node: Node, ada: User, run: Run) -> None:
    sandbox = _created(ada, files=_tar(note="from the lesson\n"), setup="cp /root/note /root/copy\necho $HOME >> /root/copy\n")
    assert sandbox.state == "running"
    assert [step["name"] for step in sandbox.steps][-2:] == ["files", "setup"]
    assert run(sandbox.id.hex, "cat", "/root/copy").stdout == b"from the lesson\n/root\n"
    assert run(sandbox.id.hex, "stat", "-c", "%u", "/root/note").stdout == b"0\n"


def test_a_set_up_that_fails_shows_the_learner_why(host: Host, node: Node, ada: User) -> None:
    sandbox = _created(ada, setup="echo first\nls /no-such-place\necho never\n")
    assert (sandbox.state, sandbox.end_reason) == ("stopping", "failed")
    end = describe(sandbox)["end"]
    assert end["title"] == "Your machine could not start"
    assert "No such file or directory" in end["text"]
    assert "exit status 2" in end["text"]
    assert "never" not in end["text"]
    tasks.destroy_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert sandbox.state == "failed"


def test_files_that_are_no_tar_fail_it(node: Node, ada: User) -> None:
    sandbox = _created(ada, files=b"this is no tar")
    assert (sandbox.state, sandbox.end_reason) == ("stopping", "failed")
    assert "tar" in sandbox.end_detail


def test_a_step_that_fails_ends_the_row_and_leaves_nothing(
    host: Host, node: Node, ada: User, queued: Queued, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StepFailed("boot", "no loop device is free on this host")

    with monkeypatch.context() as broken:
        broken.setattr(mounts, "mount_disk", full)
        sandbox = _created(ada)
    assert (sandbox.state, sandbox.end_detail) == ("stopping", "boot failed: no loop device is free on this host")
    assert sandbox.id.hex not in runtime.present(host)
    assert queued()[-1] == ("destroy_sandbox", [sandbox.id.hex])
    tasks.destroy_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert (sandbox.state, describe(sandbox)["end"]["title"]) == ("failed", "Your machine could not start")


def test_an_image_that_has_gone_fails_it_with_words(node: Node, ada: User, row: Row) -> None:
    sandbox = row(owner=ada, image="gone")
    tasks.create_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert (sandbox.state, sandbox.end_reason) == ("stopping", "failed")
    assert "gone" in sandbox.end_detail


def test_a_message_delivered_twice_is_done_once(host: Host, node: Node, ada: User) -> None:
    sandbox = _created(ada)
    pid = runtime.inspect(host, sandbox.id.hex).pid
    tasks.create_sandbox(sandbox.id.hex)
    assert runtime.inspect(host, sandbox.id.hex).pid == pid
    sandbox.refresh_from_db()
    assert sandbox.state == "running"
    tasks.destroy_sandbox(sandbox.id.hex)
    assert runtime.alive(host, sandbox.id.hex), "only what is stopping is removed"


def test_a_row_another_task_works_on_is_left_alone(host: Host, row: Row, ada: User) -> None:
    sandbox = row(owner=ada, claim="create")
    tasks.create_sandbox(sandbox.id.hex)
    assert sandbox.id.hex not in runtime.present(host)


def test_stopping_while_it_is_made_removes_it(host: Host, node: Node, ada: User, queued: Queued, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = request_sandbox(ada, SMALL)
    real = mounts.mount_overlay

    def impatient(*arguments: str) -> None:
        stop_sandbox(Sandbox.objects.get(id=sandbox.id), "user")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(mounts, "mount_overlay", impatient)
    tasks.create_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert (sandbox.state, sandbox.end_reason, sandbox.claim) == ("stopping", "user", "")
    assert ("destroy_sandbox", [sandbox.id.hex]) in queued()
    tasks.destroy_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert sandbox.state == "stopped"
    assert sandbox.id.hex not in runtime.present(host)


def test_a_warm_one_is_made_claimed_and_prepared(host: Host, node: Node, ada: User, row: Row, queued: Queued, run: Run) -> None:
    warm = row(label="warm pool")
    tasks.create_sandbox(warm.id.hex)
    warm.refresh_from_db()
    assert (warm.state, warm.started_at) == ("ready", None)
    claimed = request_sandbox(ada, replace(SMALL, setup="echo ready > /root/setup"))
    assert (claimed.id, claimed.state) == (warm.id, "creating")
    tasks.prepare_sandbox(claimed.id.hex)
    claimed.refresh_from_db()
    assert claimed.state == "running"
    assert run(claimed.id.hex, "cat", "/root/setup").stdout == b"ready\n"


def test_the_pool_is_filled_to_its_size_and_not_beyond(node: Node, row: Row, queued: Queued, settings: pytest.FixtureRequest) -> None:
    settings.WARM_POOL = {"linux": 2, "windows": 3}  # type: ignore[attr-defined]
    tasks.fill_pool()
    warm = list(Sandbox.objects.filter(owner=None))
    assert [(sandbox.image, sandbox.state, sandbox.terminals.count()) for sandbox in warm] == [("linux", "creating", 1)] * 2
    assert sorted(queued()) == sorted(("create_sandbox", [sandbox.id.hex]) for sandbox in warm)
    tasks.fill_pool()
    assert Sandbox.objects.count() == 2


@pytest.mark.parametrize(("change", "count"), [({"draining": True}, 0), ({"max_sandboxes": 1}, 1), ({"max_sandboxes": 0}, 0)])
def test_the_pool_stays_within_the_node(node: Node, settings: pytest.FixtureRequest, change: dict[str, int], count: int) -> None:
    settings.WARM_POOL = {"linux": 3}  # type: ignore[attr-defined]
    Node.objects.filter(pk=node.pk).update(**change)
    tasks.fill_pool()
    assert Sandbox.objects.count() == count


def test_warm_ones_of_an_older_image_do_not_count(node: Node, row: Row, settings: pytest.FixtureRequest) -> None:
    settings.WARM_POOL = {"linux": 1}  # type: ignore[attr-defined]
    row(state="ready", image_digest="older")
    tasks.fill_pool()
    assert Sandbox.objects.filter(image_digest=node.images["linux"]["digest"]).count() == 1


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"started_at": timedelta(hours=3)}, "deadline"), ({"last_activity_at": timedelta(minutes=16)}, "idle"), ({}, "")],
)
def test_the_reaper_ends_what_is_idle_or_over_its_time(
    host: Host, node: Node, ada: User, columns: dict[str, timedelta], reason: str, queued: Queued
) -> None:
    sandbox = _created(ada)
    Sandbox.objects.filter(id=sandbox.id).update(**{name: timezone.now() - age for name, age in columns.items()})
    log = host.directory(sandbox.id.hex) / "terminals" / "1" / "log"
    until(lambda: log.stat().st_size > 0, "the prompt is printed")
    os.utime(log, (0, 0))
    queued()
    tasks.tend()
    sandbox.refresh_from_db()
    assert (sandbox.state, sandbox.end_reason) == (("stopping", reason) if reason else ("running", ""))
    assert (("destroy_sandbox", [sandbox.id.hex]) in queued()) == bool(reason)


def test_output_nobody_watches_keeps_it_alive(host: Host, node: Node, ada: User) -> None:
    sandbox = _created(ada)
    Sandbox.objects.filter(id=sandbox.id).update(last_activity_at=timezone.now() - timedelta(minutes=16))
    (host.directory(sandbox.id.hex) / "terminals" / "1" / "log").touch()
    tasks.tend()
    sandbox.refresh_from_db()
    assert sandbox.state == "running"
    assert timezone.now() - sandbox.last_activity_at < timedelta(minutes=1)


def test_a_warning_is_noted_once_and_taken_back(host: Host, node: Node, ada: User) -> None:
    sandbox = _created(ada)
    Sandbox.objects.filter(id=sandbox.id).update(started_at=timezone.now() - timedelta(seconds=7150))
    tasks.tend()
    sandbox.refresh_from_db()
    assert (sandbox.state, sandbox.warned) == ("running", "deadline")
    Sandbox.objects.filter(id=sandbox.id).update(lifetime_seconds=20000)
    tasks.tend()
    sandbox.refresh_from_db()
    assert sandbox.warned == ""


def test_one_whose_first_process_died_is_ended_with_a_likely_cause(host: Host, node: Node, ada: User) -> None:
    sandbox = _created(ada)
    pid = runtime.inspect(host, sandbox.id.hex).pid
    assert pid is not None
    os.kill(pid, 9)
    until(lambda: not runtime.alive(host, sandbox.id.hex), "it is dead")
    tasks.tend()
    sandbox.refresh_from_db()
    assert (sandbox.state, sandbox.end_reason) == ("stopping", "failed")
    assert "first process ended" in describe(sandbox)["end"]["text"]
    assert describe(sandbox)["end"]["title"] == "Your machine stopped working"


def test_a_command_is_prepared_or_says_why_not(host: Host, node: Node, ada: User, row: Row) -> None:
    running, absent = _created(ada), row(state="running")
    good, bad = (Execution.objects.create(sandbox=sandbox, argv=["true"]) for sandbox in (running, absent))
    for execution in (good, bad):
        tasks.start_execution(execution.id.hex)
        execution.refresh_from_db()
    assert (good.state, bad.state) == ("ready", "failed")
    assert "no sandbox" in bad.error


def test_every_node_is_told_to_tend_and_lost_ones_are_given_up(node: Node, ada: User, row: Row, queued: Queued) -> None:
    lost = Node.objects.create(name="lost", heartbeat_at=timezone.now() - timedelta(minutes=6))
    silent = Node.objects.create(name="silent", heartbeat_at=timezone.now() - timedelta(minutes=4))
    gone, waits, here = (row(owner=ada, state="running", node=place) for place in (lost, silent, node))
    tasks.tick()
    for sandbox in (gone, waits, here):
        sandbox.refresh_from_db()
    assert (gone.state, gone.end_reason) == ("stopped", "node-lost")
    assert waits.state == here.state == "running"
    assert queued() == [("tend", [])]


def test_an_orphan_on_the_host_is_removed(host: Host, node: Node, ada: User) -> None:
    sandbox = _created(ada)
    found = Traces(host, sandbox.id.hex)
    Sandbox.objects.filter(id=sandbox.id).update(state="stopped")
    reconciling.reconcile(node, host)
    assert found.left() == {}


@pytest.mark.parametrize("state", ["running", "ready"])
def test_a_row_whose_sandbox_has_vanished_ends(host: Host, node: Node, row: Row, queued: Queued, state: str) -> None:
    vanished = row(state=state)
    reconciling.reconcile(node, host)
    vanished.refresh_from_db()
    assert (vanished.state, vanished.end_reason) == ("stopping", "failed")
    assert queued() == [("destroy_sandbox", [vanished.id.hex])]


def test_one_nobody_began_in_time_ends_and_a_fresh_one_waits(host: Host, node: Node, row: Row) -> None:
    now, long_ago = timezone.now(), timezone.now() - timedelta(minutes=11)
    old, fresh, in_line = row(created_at=long_ago), row(), row(created_at=now - timedelta(minutes=9))
    worked_on = row(created_at=long_ago, claim="create:another:1", claimed_at=now)
    stuck = row(created_at=long_ago, claim="create:another:1", claimed_at=now - timedelta(minutes=7))
    reconciling.reconcile(node, host)
    for sandbox in (old, fresh, in_line, worked_on, stuck):
        sandbox.refresh_from_db()
    assert (old.state, old.end_reason) == (stuck.state, stuck.end_reason) == ("stopping", "failed")
    assert fresh.state == in_line.state == worked_on.state == "creating"


def _dead_process() -> int:
    """The number of a process that was this worker's and has been killed."""
    child = subprocess.Popen(["sleep", "60"])
    child.kill()
    child.wait()
    return child.pid


@pytest.mark.parametrize("pid", [_dead_process, os.getpid], ids=["killed", "at work"])
def test_a_redelivered_task_takes_over_from_a_killed_process_only(host: Host, row: Row, ada: User, pid: Callable[[], int]) -> None:
    sandbox = row(owner=ada, claim=f"create:{tasks.GENERATION}:{pid()}")
    runtime.create(host, tasks.spec_of(sandbox))
    first = runtime.inspect(host, sandbox.id.hex).pid
    tasks.create_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert sandbox.state == ("running" if pid is _dead_process else "creating")
    assert (runtime.inspect(host, sandbox.id.hex).pid == first) is (pid is not _dead_process), "it is made afresh"


def test_an_error_nobody_thought_of_ends_it_in_words(host: Host, ada: User, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(*_: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(mounts, "mount_overlay", surprise)
    sandbox = _created(ada)
    assert (sandbox.state, sandbox.end_reason, sandbox.end_detail, sandbox.claim) == ("stopping", "failed", "surprise", "")
    assert sandbox.id.hex not in runtime.present(host)


def test_a_stop_during_the_set_up_ends_the_set_up(host: Host, node: Node, ada: User) -> None:
    sandbox = request_sandbox(ada, replace(SMALL, setup="sleep 60"))
    with ThreadPoolExecutor(1) as worker:
        made = worker.submit(tasks.create_sandbox, sandbox.id.hex)
        until(lambda: runtime.alive(host, sandbox.id.hex), "it lives")
        stop_sandbox(Sandbox.objects.get(id=sandbox.id), "user")
        with pytest.raises(OverQuota):
            quotas.refuse_over(ada, quotas.effective(ada) | {"concurrent": quotas.Limit(1, None)})
        tasks.destroy_sandbox(sandbox.id.hex)
        made.result(20)
    tasks.destroy_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert (sandbox.state, sandbox.end_reason) == ("stopped", "user")


def test_one_that_cannot_be_tended_does_not_keep_the_others_from_it(
    host: Host, node: Node, ada: User, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, late = row(owner=ada, state="running"), _created(ada)
    Sandbox.objects.filter(id=late.id).update(
        started_at=timezone.now() - timedelta(hours=9), created_at=timezone.now() - timedelta(hours=9)
    )
    real_alive, real_groups = runtime.alive, runtime.child_cgroups

    def child_cgroups(host: Host, sandbox_id: str) -> int:
        if sandbox_id == odd.id.hex:
            raise OSError(errno.ENODEV, "it goes at this moment")
        return real_groups(host, sandbox_id)

    monkeypatch.setattr(runtime, "alive", lambda host, sandbox_id: sandbox_id == odd.id.hex or real_alive(host, sandbox_id))
    monkeypatch.setattr(runtime, "child_cgroups", child_cgroups)
    tasks.tend()
    late.refresh_from_db()
    assert (late.state, late.end_reason) == ("stopping", "deadline")


def test_a_removal_that_was_lost_is_sent_again(host: Host, node: Node, row: Row, queued: Queued) -> None:
    long_ago = timezone.now() - timedelta(seconds=100)
    lost = row(state="stopping", end_reason="user", ended_at=long_ago, claim="destroy")
    row(state="stopping", end_reason="user", ended_at=timezone.now())
    reconciling.reconcile(node, host)
    assert queued() == [("destroy_sandbox", [lost.id.hex])]
    tasks.destroy_sandbox(lost.id.hex)
    lost.refresh_from_db()
    assert lost.state == "stopped"


def test_a_killed_workers_work_is_taken_up(host: Host, node: Node, ada: User, queued: Queued, row: Row) -> None:
    """Half made, half prepared, half removed: each is where the worker was when it was killed."""
    running = _created(ada)
    half_made = row(owner=ada, claim="create", steps=[{"name": "disk", "label": "", "at": 1.0}])
    runtime.create(host, tasks.spec_of(half_made))
    half_prepared = row(owner=ada, claim="prepare", started_at=timezone.now())
    runtime.create(host, tasks.spec_of(half_prepared))
    half_removed = row(state="stopping", claim="destroy", end_reason="user", ended_at=timezone.now())
    queued()
    tasks.resume()
    sent = queued()
    for sandbox, task in ((half_made, "create_sandbox"), (half_prepared, "prepare_sandbox"), (half_removed, "destroy_sandbox")):
        assert (task, [sandbox.id.hex]) in sent
        sandbox.refresh_from_db()
        assert sandbox.claim == ""
        getattr(tasks, task)(sandbox.id.hex)
        sandbox.refresh_from_db()
    assert (half_made.state, half_prepared.state, half_removed.state) == ("running", "running", "stopped")
    running.refresh_from_db()
    assert running.state == "running"
    assert runtime.alive(host, running.id.hex), "what ran is not touched"


def test_the_worker_says_that_it_lives_while_its_pool_is_busy(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    ending = threading.Event()
    monkeypatch.setattr(tasks, "HEARTBEAT_EVERY", 0.01)
    monkeypatch.setattr(tasks, "_ending", ending)
    Node.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    thread = threading.Thread(target=tasks._say_alive)
    thread.start()
    try:
        until(lambda: Node.objects.get(pk=node.pk).alive, "it has written")
    finally:
        ending.set()
        thread.join(10)


def test_the_heartbeat_writes_what_the_node_has(host: Host, node: Node) -> None:
    assert node.name == settings.NODE
    assert node.alive
    assert {"linux", "docker"} <= node.images.keys()
    assert node.images["docker"]["profile"] == "docker"
    assert node.max_sandboxes >= 1
