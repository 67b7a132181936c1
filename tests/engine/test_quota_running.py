"""A changed quota reaches what runs: the kernel's own files say so."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from celery.exceptions import Retry
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from engine import limits, quotas, tasks
from engine.describe import describe
from engine.extending import extend_sandbox
from engine.lifecycle import request_sandbox, stop_sandbox
from engine.models import AuditEntry, Node, QuotaRule, Sandbox
from engine.quota_changes import carry_out, impact
from engine.runtime import cgroups, runc
from engine.runtime import sandbox as runtime
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host
from engine.runtime.spec import MIB
from tests.conftest import Run
from tests.engine import paper
from tests.engine.conftest import SMALL
from tests.engine.test_end import Queued

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("node")]


@pytest.fixture
def machine(host: Host, ada: User, node: Node) -> Iterator[Sandbox]:
    sandbox = request_sandbox(ada, SMALL)
    tasks.create_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert sandbox.state == "running"
    yield sandbox
    runtime.destroy(host, sandbox.id.hex)


def kernel_limits(host: Host, sandbox: Sandbox) -> dict[str, float]:
    """What the kernel holds the sandbox to."""
    path = f"{host.cgroup}/{sandbox.id.hex}"
    if cgroups.unified():
        group = cgroups.ROOT / path
        quota, period = (group / "cpu.max").read_text().split()
        memory, pids = (group / "memory.max").read_text(), (group / "pids.max").read_text()
    else:
        quota, period = ((cgroups.ROOT / "cpu" / path / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        memory = (cgroups.ROOT / "memory" / path / "memory.limit_in_bytes").read_text()
        pids = (cgroups.ROOT / "pids" / path / "pids.max").read_text()
    return {"memory": int(memory), "cpus": int(quota) / int(period), "pids": int(pids)}


def change(new: QuotaRule) -> None:
    """As the Quotas page saves a rule."""
    with transaction.atomic():
        found = impact(None, new)
        new.save()
        carry_out(found)


def test_it_works(host: Host, machine: Sandbox, ada: User, queued: Queued, run: Run) -> None:
    """Tighter, then looser: the kernel follows, and never goes above what the lab asked for."""
    assert kernel_limits(host, machine) == {"memory": 256 * MIB, "cpus": 1.0, "pids": 128}
    change(QuotaRule(scope="user", user=ada, memory=128 * MIB, cpus=0.5, pids=64))
    assert queued() == [("apply_limits", [machine.id.hex])]
    tasks.apply_limits(machine.id.hex)
    assert kernel_limits(host, machine) == {"memory": 128 * MIB, "cpus": 0.5, "pids": 64}
    machine.refresh_from_db()
    assert (machine.memory, machine.cpus, machine.pids) == (128 * MIB, 0.5, 64)
    shown = run(machine.id.hex, "sh", "-c", "head -c 200M /dev/zero | tail -c 190M | wc -c")
    assert shown.stdout.strip() != b"199229440", "190 MiB do not fit into 128"

    QuotaRule.objects.update(memory=1024 * MIB, cpus=8, pids=None)
    tasks.apply_limits(machine.id.hex)
    assert kernel_limits(host, machine) == {"memory": 256 * MIB, "cpus": 1.0, "pids": 128}
    assert [entry.detail["after"]["pids"] for entry in AuditEntry.objects.filter(action="sandbox.limits").order_by("id")] == [64, 128]


def test_memory_in_use_is_not_taken_away(host: Host, machine: Sandbox, ada: User, run: Run) -> None:
    run(machine.id.hex, "dd", "if=/dev/zero", "of=/tmp/held", "bs=1M", "count=100")
    paper.rule(ada, memory=80 * MIB, pids=64)
    tasks.apply_limits(machine.id.hex)
    assert kernel_limits(host, machine) == {"memory": 256 * MIB, "cpus": 1.0, "pids": 64}
    entry = AuditEntry.objects.get(action="sandbox.limits")
    assert entry.detail["note"].startswith("Memory stays at 256 MiB: 1")
    assert run(machine.id.hex, "stat", "-c", "%s", "/tmp/held").stdout == b"104857600\n"


def test_file_cache_does_not_hold_a_limit_up(host: Host, machine: Sandbox, ada: User, run: Run) -> None:
    run(machine.id.hex, "sh", "-c", "dd if=/dev/zero of=/root/cached bs=1M count=150 conv=fsync 2>/dev/null")
    assert cgroups.memory_used(f"{host.cgroup}/{machine.id.hex}") > 100 * MIB
    paper.rule(ada, memory=96 * MIB)
    tasks.apply_limits(machine.id.hex)
    assert kernel_limits(host, machine)["memory"] == 96 * MIB


def test_a_kernel_that_refuses_leaves_the_old_limits_and_says_so(machine: Sandbox, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise StepFailed("runc update", "device or resource busy")

    monkeypatch.setattr(runc, "update", busy)
    paper.rule(ada, memory=128 * MIB)
    tasks.apply_limits(machine.id.hex)
    machine.refresh_from_db()
    assert machine.memory == 256 * MIB
    assert "busy" in AuditEntry.objects.get(action="sandbox.limits").detail["note"]


def test_nothing_is_written_where_nothing_changes(machine: Sandbox) -> None:
    paper.rule(memory=4096 * MIB)
    tasks.apply_limits(machine.id.hex)
    assert not AuditEntry.objects.filter(action="sandbox.limits").exists()


def test_one_that_is_still_being_made_is_looked_at_again(ada: User, row: Callable[..., Sandbox]) -> None:
    sandbox = row(owner=ada, state="creating")
    with pytest.raises(Retry):
        tasks.apply_limits.apply(args=(sandbox.id.hex,), throw=True)


@pytest.mark.parametrize("state", ["stopping", "stopped", "failed", "ready"])
def test_others_are_left_alone(ada: User, row: Callable[..., Sandbox], state: str) -> None:
    sandbox = row(owner=None if state == "ready" else ada, state=state)
    paper.rule(memory=128 * MIB)
    tasks.apply_limits(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert sandbox.memory == 256 * MIB


def test_what_waits_changes_at_once(ada: User, queued: Queued) -> None:
    waits = paper.sandbox(ada, None, state="queued")
    change(QuotaRule(scope="global", memory=128 * MIB, disk=256 * MIB))
    waits.refresh_from_db()
    assert (waits.memory, waits.disk) == (128 * MIB, 256 * MIB)
    assert queued() == []
    assert quotas.effective(ada)["memory"].value == waits.memory


@pytest.mark.parametrize(("machines", "minutes"), [(1, 60), (2, 30)])
def test_the_days_hours_become_the_deadline(node: Node, ada: User, machines: int, minutes: int) -> None:
    """Two machines use the hour that is left in half the time. A morning's clock, so that midnight is far."""
    with time_machine.travel(datetime(2026, 3, 10, 9, tzinfo=UTC), tick=False) as clock:
        started = timezone.now()
        rows = [paper.sandbox(ada, node, started_at=started, asked={"lifetime_seconds": 7200}) for _ in range(machines)]
        paper.rule(ada, daily_hours=1)
        limits.keep_to_hours(node)
        for sandbox in rows:
            sandbox.refresh_from_db()
            assert sandbox.deadline_at == started + timedelta(minutes=minutes)
        clock.shift(timedelta(minutes=minutes // 2))
        cache.clear()
        limits.keep_to_hours(node)
        for sandbox in rows:
            sandbox.refresh_from_db()
            assert sandbox.deadline_at == started + timedelta(minutes=minutes), "it does not drift"
        stop_sandbox(rows[0], "deadline")
        end = describe(rows[0])["end"]
        assert end["title"] == "Your time is up"
        assert f"gave this machine {'1 hour' if machines == 1 else '30 minutes'}; the lesson asks for 2 hours" in end["text"]


def test_what_the_other_machine_no_longer_uses_is_given_back(node: Node, ada: User) -> None:
    with time_machine.travel(datetime(2026, 3, 10, 9, tzinfo=UTC), tick=False) as clock:
        first, second = (paper.sandbox(ada, node, started_at=timezone.now(), asked={"lifetime_seconds": 7200}) for _ in range(2))
        rule = paper.rule(ada, daily_hours=2)
        limits.keep_to_hours(node)
        first.refresh_from_db()
        assert first.lifetime_seconds == 3600
        clock.shift(timedelta(minutes=10))
        stop_sandbox(second, "user")
        cache.clear()
        limits.keep_to_hours(node)
        first.refresh_from_db()
        assert first.lifetime_seconds == 6600, "two hours, but for the ten minutes of the other"
        rule.delete()
        cache.clear()
        limits.keep_to_hours(node)
        first.refresh_from_db()
        assert first.lifetime_seconds == 7200, "what its lab asks for, and no more"


def test_an_hour_that_was_added_is_given_back_as_well(node: Node, ada: User) -> None:
    with time_machine.travel(datetime(2026, 3, 10, 9, tzinfo=UTC), tick=False):
        sandbox = paper.sandbox(ada, node, started_at=timezone.now(), lifetime_seconds=7200, asked={"lifetime_seconds": 7200})
        extend_sandbox(sandbox, ada)
        rule = paper.rule(ada, daily_hours=1)
        for allowed in (3600, 3 * 3600):
            cache.clear()
            limits.keep_to_hours(node)
            sandbox.refresh_from_db()
            assert sandbox.lifetime_seconds == allowed
            if allowed == 3600:
                rule.delete()


def test_without_such_a_rule_deadlines_stay(node: Node, ada: User) -> None:
    paper.rule(memory=1 << 30)
    sandbox = paper.sandbox(ada, node, started_at=timezone.now())
    limits.keep_to_hours(node)
    sandbox.refresh_from_db()
    assert sandbox.lifetime_seconds == 7200
