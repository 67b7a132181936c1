"""Quotas bind: at every start, in every limit, with words that say what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.utils import timezone

from engine.errors import OverDailyHours, OverQuota, SiteFull
from engine.lifecycle import SandboxRequest, request_sandbox
from engine.models import Node, Sandbox
from engine.runtime.spec import GIB, MIB
from tests.engine import paper

pytestmark = pytest.mark.django_db


def test_it_works(ada: User, bob: User) -> None:
    """A lab gets what it asks for, as far as the quota goes; another user's gets it all."""
    paper.node()
    paper.rule(ada, memory=128 * MIB, cpus=0.5, pids=64, disk=1 * GIB, idle_seconds=60, lifetime_seconds=600)
    limits = ("memory", "cpus", "pids", "disk", "idle_seconds", "lifetime_seconds")
    hers, his = (request_sandbox(user, paper.LAB) for user in (ada, bob))
    assert [getattr(hers, name) for name in limits] == [128 * MIB, 0.5, 64, 1 * GIB, 60, 600]
    assert [getattr(his, name) for name in limits] == [*paper.ASKED.values(), 900, 7200]
    assert hers.asked == paper.ASKED | {"idle_seconds": 900, "lifetime_seconds": 7200}


def test_a_lab_that_asks_for_less_gets_no_more(ada: User) -> None:
    paper.node()
    paper.rule(memory=1 * GIB)
    assert request_sandbox(ada, SandboxRequest(image="linux", memory=100 * MIB)).memory == 100 * MIB


def test_a_warm_one_is_claimed_only_where_it_is_within_the_quota(ada: User, bob: User) -> None:
    node = paper.node()
    warm = paper.sandbox(None, node, state="ready", image_digest="0" * 64)
    warm.terminals.create(number=1)
    paper.rule(ada, memory=128 * MIB)
    assert request_sandbox(ada, paper.LAB).id != warm.id
    assert request_sandbox(bob, paper.LAB).id == warm.id


@pytest.mark.parametrize(("most", "words"), [(1, "1 machine at once"), (2, "2 machines at once")])
def test_at_the_limit_it_says_which_and_what_runs(ada: User, most: int, words: str) -> None:
    node = paper.node()
    group = Group.objects.create(name="Class 4b")
    ada.groups.add(group)
    paper.rule(group, concurrent=most)
    for _ in range(most):
        paper.sandbox(ada, node, label="docker/first")
    with pytest.raises(OverQuota) as refusal:
        request_sandbox(ada, paper.LAB)
    text = refusal.value.text
    assert words in text
    assert "set for the group Class 4b" in text
    assert f"{most} run or wait now: docker/first" in text
    assert "Stop one" in text


def test_who_may_have_none_is_told_so(ada: User) -> None:
    paper.node()
    paper.rule(ada, concurrent=0)
    with pytest.raises(OverQuota, match=r"may not run machines \(set for you\)"):
        request_sandbox(ada, paper.LAB)


def test_one_that_waits_counts(ada: User) -> None:
    paper.node()
    paper.rule(concurrent=1)
    paper.sandbox(ada, None, state="queued", queued_at=timezone.now(), label="docker/first")
    with pytest.raises(OverQuota, match=r"docker/first \(waiting\)"):
        request_sandbox(ada, paper.LAB)


def test_when_the_days_hours_are_used_it_says_how_many(ada: User) -> None:
    with time_machine.travel(datetime(2026, 3, 10, 9, tzinfo=UTC), tick=False):
        now = timezone.now()
        paper.rule(daily_hours=0.5)
        paper.sandbox(ada, paper.node(), state="stopped", started_at=now - timedelta(hours=1), ended_at=now)
        with pytest.raises(OverDailyHours) as refusal:
            request_sandbox(ada, paper.LAB)
    assert refusal.value.title == "Your hours for today are used up"
    assert "0.5 hours a day together (set for everybody), and today they have run 1.0" in refusal.value.text
    assert "after midnight" in refusal.value.text


def test_the_hours_that_are_left_shorten_the_deadline(ada: User) -> None:
    paper.node()
    paper.rule(daily_hours=0.25)
    lifetime = request_sandbox(ada, paper.LAB).lifetime_seconds
    # Just before midnight the next day's hours come on top.
    assert lifetime == 900 or timezone.now().hour == 23


@pytest.mark.parametrize(
    ("columns", "fits"),
    [
        ({"memory": 1 * GIB, "memory_overcommit": 1.0}, 2),
        ({"memory": 1 * GIB, "memory_overcommit": 1.5}, 3),
        ({"memory": 64 * GIB, "memory_cap": 1 * GIB, "memory_overcommit": 1.0}, 2),
        ({"cpus": 2.0, "cpu_overcommit": 1.5}, 3),
        ({"cpus": 64.0, "cpus_cap": 1.0, "cpu_overcommit": 1.0}, 1),
        ({"sandboxes_cap": 1}, 1),
        ({}, 4),  # not measured yet: only the number counts
    ],
)
def test_a_node_promises_no_more_than_its_capacity_and_over_commit(columns: dict[str, Any], fits: int) -> None:
    paper.node(**({"max_sandboxes": 4} | columns))
    request = replace(paper.LAB, may_wait=False)
    for number in range(fits):
        request_sandbox(User.objects.create_user(f"learner{number}"), request)
    with pytest.raises(SiteFull):
        request_sandbox(User.objects.create_user("late"), request)
    assert Sandbox.objects.count() == fits


def test_a_node_with_room_is_taken_before_a_less_busy_one_without(ada: User, bob: User) -> None:
    paper.node("small", memory=256 * MIB, memory_overcommit=1.0)
    large = paper.node("large")
    paper.sandbox(bob, large)
    assert request_sandbox(ada, paper.LAB).node == large


def test_a_lab_no_node_could_ever_hold_is_refused_and_not_queued(ada: User) -> None:
    paper.node(memory=256 * MIB, memory_overcommit=1.0)
    with pytest.raises(SiteFull, match="512 MiB of memory"):
        request_sandbox(ada, paper.LAB)
    assert not Sandbox.objects.exists()


def test_a_heartbeat_leaves_what_an_admin_set(ada: User) -> None:
    node = paper.node(memory_cap=1 * GIB, sandboxes_cap=0)
    Node.objects.filter(pk=node.pk).update(max_sandboxes=100, memory=64 * GIB)
    node.refresh_from_db()
    assert (node.most_sandboxes, node.most_memory) == (0, 10 * GIB)
