"""The line for a machine: who comes when, who leaves, and what each of them sees."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from engine import tasks, waiting
from engine.describe import describe
from engine.errors import SiteFull
from engine.lifecycle import request_sandbox, stop_sandbox
from engine.models import AuditEntry, Node, Sandbox
from tests.engine import paper
from tests.engine.test_end import Queued

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def full() -> Node:
    """A node that takes one, and has it."""
    node = paper.node(max_sandboxes=1)
    paper.sandbox(User.objects.create_user("first"), node)
    return node


def _wait(user: User, **more: Any) -> Sandbox:
    return paper.sandbox(user, None, **({"state": "queued", "queued_at": timezone.now()} | more))


def _end(sandbox: Sandbox) -> None:
    Sandbox.objects.filter(id=sandbox.id).update(state="stopped", ended_at=timezone.now())


def test_it_works(full: Node, ada: User, bob: User, queued: Queued) -> None:
    """Two come to a full site; each gets a machine as one is freed, in the order they came."""
    hers, his = request_sandbox(ada, paper.LAB), request_sandbox(bob, paper.LAB)
    assert [(describe(row)["state"], describe(row)["queue"]) for row in (hers, his)] == [
        ("queued", {"position": 1, "length": 2}),
        ("queued", {"position": 2, "length": 2}),
    ]
    assert queued() == []

    _end(Sandbox.objects.get(owner__username="first"))
    waiting.admit()
    hers.refresh_from_db()
    assert (hers.state, hers.node) == ("creating", full)
    assert queued() == [("create_sandbox", [hers.id.hex])]
    assert describe(hers)["queue"] is None
    his.refresh_from_db()
    assert describe(his)["queue"] == {"position": 1, "length": 1}


def test_who_has_no_machine_goes_before_who_has_one(full: Node, ada: User, bob: User) -> None:
    paper.sandbox(ada, full)
    second_of_ada, first_of_bob = _wait(ada), _wait(bob)
    assert list(waiting.line()) == [first_of_bob, second_of_ada]


def test_each_admission_moves_its_user_back(ada: User, bob: User, full: Node) -> None:
    """Ada came first with two; after her first, Bob is due."""
    one, two, his = _wait(ada), _wait(ada), _wait(bob)
    Node.objects.update(max_sandboxes=3)
    waiting.admit()
    states = {row.id: row.state for row in Sandbox.objects.filter(id__in=[one.id, two.id, his.id])}
    assert states == {one.id: "creating", two.id: "queued", his.id: "creating"}


def test_a_newcomer_does_not_overtake(full: Node, ada: User, bob: User, queued: Queued) -> None:
    hers = _wait(ada)
    Node.objects.update(max_sandboxes=2)
    his = request_sandbox(bob, paper.LAB)
    for row in (hers, his):
        row.refresh_from_db()
    assert (hers.state, his.state) == ("creating", "queued")
    assert queued() == [("create_sandbox", [hers.id.hex])]


def test_a_large_one_is_not_passed_for_ever_by_small_ones(full: Node, ada: User, bob: User) -> None:
    Node.objects.update(max_sandboxes=9, memory=1 << 30, memory_overcommit=1.0)
    large, small = _wait(ada, memory=1 << 30), _wait(bob, memory=64 << 20)
    waiting.admit()
    assert set(waiting.line()) == {large, small}
    _end(Sandbox.objects.get(owner__username="first"))
    waiting.admit()
    assert list(waiting.line()) == [small]


def test_one_that_no_node_can_hold_any_more_holds_up_nobody(full: Node, ada: User, bob: User) -> None:
    large, small = _wait(ada, memory=1 << 40), _wait(bob)
    Node.objects.update(max_sandboxes=2, memory=2 << 30, memory_overcommit=1.0)
    waiting.admit()
    assert list(waiting.line()) == [large]
    small.refresh_from_db()
    assert small.state == "creating"


def test_the_clocks_start_when_the_wait_is_over(full: Node, ada: User) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    row = _wait(ada, queued_at=long_ago, created_at=long_ago)
    Node.objects.update(max_sandboxes=2)
    waiting.admit()
    row.refresh_from_db()
    assert timezone.now() - row.created_at < timedelta(minutes=1)
    assert AuditEntry.objects.get(action="sandbox.start").detail["waited_seconds"] == pytest.approx(3600, abs=30)


def test_leaving_frees_the_place_and_asks_no_node(full: Node, ada: User, bob: User, queued: Queued) -> None:
    hers, his = _wait(ada, setup="true", files=b"x"), _wait(bob)
    stop_sandbox(hers, "user", by=ada)
    assert (hers.state, hers.setup, bytes(hers.files)) == ("stopped", "", b"")
    assert describe(hers)["end"]["title"] == "You left the line"
    assert describe(his)["queue"] == {"position": 1, "length": 1}
    assert queued() == []


def test_leaving_lets_those_behind_a_large_one_in(full: Node, ada: User, bob: User) -> None:
    Node.objects.update(max_sandboxes=9, memory=1 << 30, memory_overcommit=1.0)
    large, small = _wait(ada, memory=1 << 30), _wait(bob, memory=64 << 20)
    stop_sandbox(large, "user", by=ada)
    small.refresh_from_db()
    assert small.state == "creating"


def test_who_has_been_gone_for_two_minutes_loses_the_place(full: Node, ada: User, bob: User) -> None:
    gone, there = (_wait(user, last_activity_at=timezone.now() - timedelta(seconds=130)) for user in (ada, bob))
    waiting.seen([there.id])
    assert waiting.absent() == [gone]


@pytest.mark.kernel
def test_a_tick_drops_them_and_tending_lets_others_in(node: Node, ada: User, bob: User, queued: Queued) -> None:
    gone = _wait(ada, last_activity_at=timezone.now() - timedelta(seconds=130))
    there = _wait(bob, image_digest="older")
    tasks.tick()
    tasks.tend()
    for row in (gone, there):
        row.refresh_from_db()
    assert (gone.state, describe(gone)["end"]["title"]) == ("stopped", "You lost your place in the line")
    assert (there.state, there.node, there.image_digest) == ("creating", node, node.images["linux"]["digest"])
    assert ("create_sandbox", [there.id.hex]) in queued()


@pytest.mark.kernel
def test_a_removed_machine_lets_the_next_one_in(node: Node, ada: User, bob: User) -> None:
    Node.objects.update(max_sandboxes=1)
    first, second = request_sandbox(ada, paper.LAB), request_sandbox(bob, paper.LAB)
    tasks.create_sandbox(first.id.hex)
    stop_sandbox(first, "user", by=ada)
    second.refresh_from_db()
    assert second.state == "queued", "the place is free only when nothing of the first is left"
    tasks.destroy_sandbox(first.id.hex)
    second.refresh_from_db()
    assert second.state == "creating"
    tasks.create_sandbox(second.id.hex)
    second.refresh_from_db()
    assert second.state == "running"
    stop_sandbox(second, "user", by=bob)
    tasks.destroy_sandbox(second.id.hex)


def test_a_line_that_is_too_long_is_refused(full: Node, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_WAITING", 2)
    for number in range(2):
        _wait(User.objects.create_user(f"learner{number}"))
    with pytest.raises(SiteFull, match="2 people wait"):
        request_sandbox(ada, paper.LAB)


def test_the_pages_hear_that_the_line_moves(full: Node, ada: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    hers, his = _wait(ada), _wait(bob)
    heard: list[Any] = []
    monkeypatch.setattr(waiting, "announce", lambda row: heard.append(row.id))
    Node.objects.update(max_sandboxes=2)
    waiting.admit()
    assert heard == [hers.id, his.id]
