"""Keeping and ending a sandbox, and what its owner is told."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from engine.describe import describe, duration
from engine.errors import Ended
from engine.lifecycle import keep_sandbox, stop_sandbox
from engine.models import Sandbox

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]
Row = Callable[..., Sandbox]
Queued = Callable[[], list[tuple[str, list[str]]]]


@pytest.mark.parametrize("state", ["creating", "ready", "running"])
def test_stopping_ends_it_at_once_and_queues_its_removal(ada: User, row: Row, queued: Queued, state: str) -> None:
    sandbox = row(owner=ada, state=state)
    stop_sandbox(sandbox, "user", by=ada)
    assert (sandbox.state, sandbox.end_reason, sandbox.ended_by) == ("stopping", "user", ada)
    assert sandbox.ended_at is not None
    assert queued() == [("destroy_sandbox", [sandbox.id.hex])]


@pytest.mark.parametrize("state", ["stopping", "stopped", "failed"])
def test_the_first_reason_of_an_end_stays(ada: User, row: Row, queued: Queued, state: str) -> None:
    sandbox = row(owner=ada, state=state, end_reason="idle")
    stop_sandbox(sandbox, "admin")
    assert (sandbox.state, sandbox.end_reason) == (state, "idle")
    assert queued() == []


def test_keeping_starts_the_idle_clock_again(ada: User, row: Row) -> None:
    sandbox = row(owner=ada, state="running", warned="idle", last_activity_at=timezone.now() - timedelta(minutes=14))
    assert describe(sandbox)["warning"]["reason"] == "idle"
    keep_sandbox(sandbox)
    assert sandbox.warned == ""
    assert timezone.now() - sandbox.last_activity_at < timedelta(seconds=10)
    assert describe(sandbox)["warning"] is None


@pytest.mark.parametrize("state", ["creating", "stopping", "stopped", "failed"])
def test_what_does_not_run_cannot_be_kept(ada: User, row: Row, state: str) -> None:
    with pytest.raises(Ended, match="Start a fresh one"):
        keep_sandbox(row(owner=ada, state=state))


def test_a_running_one_shows_its_terminals_and_times(ada: User, row: Row) -> None:
    sandbox = row(owner=ada, state="running", terminals=2, started_at=timezone.now())
    shown = describe(sandbox)
    assert [(item["number"], item["title"]) for item in shown["terminals"]] == [(1, "Terminal 1"), (2, "Terminal 2")]
    assert shown["terminals"][0]["path"] == f"/ws/terminals/{shown['terminals'][0]['id']}"
    assert (shown["state"], shown["warning"], shown["end"], shown["idle_seconds"]) == ("running", None, None, 900)
    assert (shown["memory"], shown["disk"]) == ("256 MiB", "1 GiB")
    assert shown["deadline_at"] == sandbox.deadline_at.isoformat()


@pytest.mark.parametrize("state", ["creating", "ready", "stopping", "stopped", "failed"])
def test_only_a_running_one_shows_terminals(row: Row, state: str) -> None:
    shown = describe(row(state=state))
    assert (shown["state"], shown["terminals"], shown["warning"]) == (state, [], None)


def test_the_last_step_is_being_done_until_it_runs(row: Row) -> None:
    steps = [{"name": "disk", "label": "Make a disk", "at": 100.0}, {"name": "boot", "label": "Boot", "at": 100.012}]
    sandbox = row(steps=steps)
    assert describe(sandbox)["steps"] == [
        {"name": "disk", "label": "Make a disk", "state": "done", "ms": 12},
        {"name": "boot", "label": "Boot", "state": "doing", "ms": None},
    ]
    sandbox.state = "running"
    assert [step["state"] for step in describe(sandbox)["steps"]] == ["done", "done"]


@pytest.mark.parametrize(
    ("age", "warning"), [(0, None), (7075, None), (7085, "deadline"), (7300, "deadline")]
)  # two minutes before two hours
def test_it_warns_before_the_deadline(row: Row, age: int, warning: str | None) -> None:
    shown = describe(row(state="running", started_at=timezone.now() - timedelta(seconds=age)))
    assert (shown["warning"] or {}).get("reason") == warning


@pytest.mark.parametrize(("idle_seconds", "idle", "warned"), [(900, 775, False), (900, 785, True), (30, 19, False), (30, 21, True)])
def test_it_warns_before_the_idle_end_earlier_where_time_is_long(row: Row, idle_seconds: int, idle: int, warned: bool) -> None:
    sandbox = row(state="running", idle_seconds=idle_seconds, last_activity_at=timezone.now() - timedelta(seconds=idle))
    warning = describe(sandbox)["warning"]
    assert bool(warning) == warned
    assert warning is None or warning["ends_at"] == sandbox.idle_ends_at.isoformat()


@pytest.mark.parametrize(
    ("reason", "started", "detail", "title", "words"),
    [
        ("idle", True, "", "Your machine was not in use", "idle for 15 minutes"),
        ("deadline", True, "", "Time is up", "runs for 2 hours at most"),
        ("user", True, "", "You stopped this machine", "Start it again"),
        ("admin", True, "Exam is over.", "An admin stopped this machine", "Exam is over."),
        ("evicted", True, "", "Your machine made room for others", "ran short of machines"),
        ("node-lost", True, "", "The host of your machine was lost", "stopped answering"),
        ("failed", True, "Out of memory.", "Your machine stopped working", "Out of memory."),
        ("failed", False, "disk failed: full {0}", "Your machine could not start", "disk failed: full {0}"),
        ("failed", True, "", "Your machine stopped working", "No reason was given."),
    ],
)
def test_every_end_has_its_own_words(row: Row, reason: str, started: bool, detail: str, title: str, words: str) -> None:
    end = describe(row(state="stopped", end_reason=reason, end_detail=detail, started_at=timezone.now() if started else None))["end"]
    assert (end["reason"], end["title"], end["can_restart"]) == (reason, title, True)
    assert words in end["text"]
    assert "{" not in end["text"].replace(detail, "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 second"), (40, "40 seconds"), (60, "1 minute"), (90, "90 seconds"), (900, "15 minutes"), (3600, "1 hour"), (7200, "2 hours")],
)
def test_durations_are_words(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_only_its_owner_may_use_it(ada: User, bob: User, row: Row) -> None:
    admin = User.objects.create_superuser("root")
    mine, warm = row(owner=ada), row()
    assert mine.may_be_used_by(ada)
    assert not any(mine.may_be_used_by(user) for user in (bob, admin))
    assert not any(warm.may_be_used_by(user) for user in (ada, bob, admin))
