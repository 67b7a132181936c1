"""The page Site health: what is not well, how starts went, and the history behind the pictures."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from engine import audit, sampling, starts, usage
from engine.models import AuditEntry, HealthSample, Sandbox
from tests.engine import paper
from tests.engine.test_machines_page import _without_a_built_frontend, leave_figures, words

__all__ = ["_without_a_built_frontend"]  # this page's tests need it as well
pytestmark = pytest.mark.django_db


def begun(owner: User, place: Any, seconds: float, *, ago: timedelta = timedelta(), **columns: Any) -> Sandbox:
    """A sandbox that was asked for `ago` and was its owner's after `seconds`."""
    at = timezone.now() - ago - timedelta(seconds=seconds)
    made = paper.sandbox(owner, place, created_at=at, started_at=at + timedelta(seconds=seconds), **columns)
    AuditEntry.objects.create(at=at, actor=owner.username, action="sandbox.start", subject=str(made.id))
    return made


def failed(owner: User | None, place: Any, *steps: str, **columns: Any) -> Sandbox:
    noted = [{"name": name, "label": name, "at": time.time()} for name in steps]
    end = {"state": "failed", "end_reason": "failed", "ended_at": timezone.now()}
    return paper.sandbox(owner, place, steps=noted, **(end | columns))


def test_it_works(admin_client: Client, ada: User) -> None:
    """Running machines, nodes with capacity, times to start, failed starts with reasons, refusals: all on one page."""
    node = paper.node("lab-1", max_sandboxes=8)
    leave_figures("lab-1")
    for seconds in (0.1, 0.2, 0.4):
        begun(ada, node, seconds)
    failed(ada, node, "disk", label="docker/first/run", end_detail="this machine's disk is full")
    audit.record(ada, "sandbox.refused", "docker/first/run", code="full", title="Every machine is in use", text="-")
    text = words(admin_client.get("/manage/health/"))
    for figure in ("Half start within 200 ms", "95 in 100 start within 400 ms", "Failed starts 1", "Running now 3", "Refused 1"):
        assert figure in text
    for figure in ("3 of 8", "1 GiB of 4 GiB", "0.50 on 2 cores", "50 GiB of 100 GiB"):
        assert figure in text
    assert "docker/first/run for ada on lab-1, in step “disk”" in text
    assert "this machine's disk is full".replace("'", "&#x27;") in text
    assert "1 \N{MULTIPLICATION SIGN} Every machine is in use" in text
    assert "All parts answer, and nobody waits." in text


def test_what_is_not_well_is_said(admin_client: Client, ada: User) -> None:
    paper.node("lab-1", heartbeat_at=timezone.now() - timedelta(minutes=2))
    paper.node("lab-2", draining=True)
    paper.sandbox(ada, None, state="queued", queued_at=timezone.now())
    text = words(admin_client.get("/manage/health/"))
    assert "Node lab-1 does not answer." in text
    assert "1 person waits for a machine" in text
    assert "Silent" in text
    assert "Draining" in text


def test_without_redis_it_still_answers(admin_client: Client, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    def gone(*_: Any) -> Any:
        raise redis.ConnectionError

    paper.node("lab-1")
    monkeypatch.setattr(cache, "get_many", gone)
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    text = words(admin_client.get("/manage/health/"))
    assert "Redis does not answer" in text
    assert "lab-1" in text


def test_only_staff_with_the_right_sees_it(client: Client) -> None:
    addresses = ("/manage/health/", "/manage/health/samples/")
    bob = User.objects.create_user("bob", is_staff=True)
    assert [client.get(address).status_code for address in addresses] == [302, 302]
    client.force_login(bob)
    assert [client.get(address).status_code for address in addresses] == [403, 403]
    bob.user_permissions.add(Permission.objects.get(codename="view_healthsample"))
    assert [client.get(address).status_code for address in addresses] == [200, 200]


def test_a_start_counts_only_once_it_ran(ada: User) -> None:
    """One still being set up, and a warm one whose set-up failed, have a start in their row and did not start."""
    node, now = paper.node(), timezone.now()
    begun(ada, node, 1, state="creating")
    warm = begun(ada, node, 1, ago=timedelta(seconds=30), state="failed", end_reason="failed", ended_at=now, end_detail="exit status 1")
    Sandbox.objects.filter(id=warm.id).update(steps=[{"name": "setup", "label": "-", "at": time.time()}])
    ran = begun(ada, node, 2, ago=timedelta(seconds=10), state="failed", end_reason="failed", ended_at=now)
    since, until = now - timedelta(minutes=5), now + timedelta(seconds=1)
    assert starts.durations(since, until) == pytest.approx([2.0], abs=0.01)
    assert [failure.sandbox.id for failure in starts.failures(since, until)] == [warm.id]
    assert starts.claimed_and_failed() == 1
    assert ran.started_at is not None


def test_failures_name_the_stage(ada: User) -> None:
    node = paper.node()
    failed(ada, node)
    failed(None, node, "disk", "boot")
    assert sorted(failure.stage for failure in starts.failures()) == ["boot", "queue"]


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.95, 4), (0.25, 1), (1, 4)])
def test_percentiles_are_nearest_rank(share: float, value: int) -> None:
    assert starts.percentile([4, 1, 3, 2], share) == value
    assert starts.percentile([], share) is None


def test_a_sample_is_what_happened_since_the_last(ada: User) -> None:
    node = paper.node("lab-1")
    leave_figures("lab-1")
    now = timezone.now()
    sampling.sample(now - timedelta(seconds=60))
    begun(ada, node, 0.3, ago=timedelta(seconds=30))
    begun(ada, node, 0.1, ago=timedelta(minutes=5))  # before the last sample
    failed(ada, node, "boot", ended_at=now - timedelta(seconds=5))
    audit.record(ada, "sandbox.refused", "x", code="full", title="-", text="-")
    paper.sandbox(None, node, state="ready")
    paper.sandbox(ada, None, state="queued", queued_at=now)
    row = sampling.sample(timezone.now())
    assert (row.running, row.warm, row.queued) == (2, 1, 1)
    assert (row.started, row.failed, row.refused) == (1, 1, 1)
    assert (row.start_p50_ms, row.start_p95_ms) == pytest.approx((300, 300), abs=1)
    assert (row.memory_used, row.memory_total, row.load, row.cores) == (1 << 30, 4 << 30, 0.5, 2)


def test_old_samples_are_forgotten() -> None:
    now = timezone.now()
    for days in (9, 7):
        sampling.sample(now - timedelta(days=days))
    sampling.sample(now)
    assert [round((now - row.at).total_seconds() / 86400) for row in HealthSample.objects.all()] == [7, 0]


def test_it_samples_once_a_minute() -> None:
    sampling.sample_if_due()
    sampling.sample_if_due()
    assert HealthSample.objects.count() == 1


def put(at: datetime, **values: float | None) -> None:
    zeros: dict[str, Any] = dict.fromkeys(
        ("running", "warm", "queued", "memory_used", "memory_total", "load", "cores", "started", "failed", "refused"), 0
    )
    HealthSample.objects.create(at=at, **(zeros | values))


def test_the_history_has_a_point_per_step_and_gaps_where_nothing_was_sampled(admin_client: Client) -> None:
    now = timezone.now()
    put(now, running=4, queued=1, started=2, start_p50_ms=50, start_p95_ms=90)
    put(now - timedelta(hours=3), running=1)
    found = admin_client.get("/manage/health/samples/?range=hour").json()
    assert (found["range"], found["step"], len(found["at"])) == ("hour", 60, 60)
    assert {len(column) for column in found.values() if isinstance(column, list)} == {60}
    assert (found["running"][-1], found["running"][-2], found["start_p95_ms"][-1]) == (4, None, 90)
    day = admin_client.get("/manage/health/samples/?range=day").json()
    assert [value for value in day["running"] if value is not None] == [1, 4]
    assert admin_client.get("/manage/health/samples/?range=century").json()["range"] == "hour"


def test_what_no_node_measured_is_no_point() -> None:
    put(timezone.now(), running=4)
    found = sampling.history("hour", timezone.now())
    assert (found["running"][-1], found["memory_used"][-1], found["cores"][-1]) == (4, None, None)


def test_minutes_of_one_step_become_one_point() -> None:
    now = datetime.fromtimestamp(1_800_000_000 + 299, timezone.get_current_timezone())  # the end of a step of five minutes
    put(now - timedelta(seconds=200), running=2, queued=7, started=3, start_p50_ms=10, start_p95_ms=20)
    put(now - timedelta(seconds=140), running=4, queued=1, started=5, start_p50_ms=30, start_p95_ms=90)
    put(now - timedelta(seconds=80), running=6, queued=0, started=0, start_p50_ms=None, start_p95_ms=None)
    found = sampling.history("day", now)
    last = {name: column[-1] for name, column in found.items() if isinstance(column, list)}
    assert (last["running"], last["queued"], last["started"]) == (4, 7, 8)
    assert (last["start_p50_ms"], last["start_p95_ms"]) == (20, 90)


def test_figures_of_another_version_are_no_figures() -> None:
    cache.set("usage.lab-1", '{"shape": "unknown"}')
    assert usage.of_nodes(["lab-1", "lab-2"]) == {}
