"""Asking for a sandbox: what a request comes to, who gets a warm one, and every way to be refused."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from engine.errors import BadRequest, NoNode, OverQuota, Refused, SiteFull, UnknownImage
from engine.lifecycle import SandboxRequest, request_sandbox, resolve
from engine.models import Node, Sandbox
from engine.runtime.spec import MIB
from tests.engine.conftest import LIMITS, SMALL

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]
Row = Callable[..., Sandbox]
Queued = Callable[[], list[tuple[str, list[str]]]]


def test_it_works(node: Node, ada: User, queued: Queued) -> None:
    sandbox = request_sandbox(ada, replace(SMALL, label="docker/first", terminals=2))
    assert (sandbox.state, sandbox.owner, sandbox.node, sandbox.label) == ("creating", ada, node, "docker/first")
    assert [terminal.number for terminal in sandbox.terminals.all()] == [1, 2]
    assert queued() == [("create_sandbox", [sandbox.id.hex])]


def test_what_is_not_said_is_the_images_default(node: Node) -> None:
    columns = resolve(SandboxRequest(image="docker"), [node])
    image = node.images["docker"]
    assert {name: columns[name] for name in LIMITS} == image["limits"]
    assert (columns["profile"], columns["image_digest"], columns["network"]) == ("docker", image["digest"], "lab")
    assert (columns["idle_seconds"], columns["lifetime_seconds"]) == (900, 7200)


def test_what_is_said_wins(node: Node) -> None:
    columns = resolve(SandboxRequest(image="linux", memory=300 * MIB, pids=99, idle=60, deadline=120, network="none"), [node])
    assert (columns["memory"], columns["pids"], columns["network"]) == (300 * MIB, 99, "none")
    assert (columns["idle_seconds"], columns["lifetime_seconds"]) == (60, 120)
    assert columns["disk"] == node.images["linux"]["limits"]["disk"]


def test_an_unknown_image_is_refused_with_those_there_are(node: Node, ada: User) -> None:
    with pytest.raises(UnknownImage, match=r"'windows'.*docker, linux"):
        request_sandbox(ada, SandboxRequest(image="windows"))


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ({"memory": 1}, "limits.memory"),
        ({"memory": 1 << 60}, "limits.memory"),
        ({"pids": 1}, "limits.pids"),
        ({"cpus": 1000.0}, "limits.cpus"),
        ({"disk": 1}, "limits.disk"),
        ({"profile": "privileged"}, "profile"),
        ({"network": "host"}, "network"),
        ({"terminals": 9}, "terminals"),
        ({"terminals": -1}, "terminals"),
        ({"idle": -1}, "Idle time"),
        ({"deadline": 8 * 24 * 3600}, "seven days"),
        ({"files": b"x" * (8 * MIB + 1)}, "8 MiB"),
    ],
)
def test_a_wish_out_of_bounds_is_refused_by_name(node: Node, ada: User, queued: Queued, wish: dict[str, Any], word: str) -> None:
    with pytest.raises(BadRequest, match=word):
        request_sandbox(ada, replace(SMALL, **wish))
    assert not Sandbox.objects.exists()
    assert queued() == []


def test_without_a_node_nothing_starts(ada: User) -> None:
    with pytest.raises(NoNode, match="No engine answers"):
        request_sandbox(ada, SMALL)


@pytest.mark.parametrize("change", [{"draining": True}, {"heartbeat_at": timezone.now() - timedelta(seconds=31)}])
def test_a_node_that_drains_or_is_silent_takes_nothing(node: Node, ada: User, change: dict[str, Any]) -> None:
    Node.objects.filter(pk=node.pk).update(**change)
    with pytest.raises(NoNode):
        request_sandbox(ada, SMALL)


def test_a_full_site_says_so(node: Node, ada: User, bob: User, row: Row) -> None:
    Node.objects.filter(pk=node.pk).update(max_sandboxes=1)
    running = row(owner=bob, state="running")
    with pytest.raises(SiteFull, match="in a minute"):
        request_sandbox(ada, SMALL)
    Sandbox.objects.filter(id=running.id).update(state="stopped")
    assert request_sandbox(ada, SMALL).state == "creating"


def test_the_least_busy_node_that_has_the_image_is_taken(node: Node, ada: User, bob: User, row: Row) -> None:
    row(owner=bob, state="running")
    idle = Node.objects.create(name="other", max_sandboxes=5, images={"linux": node.images["linux"]})
    assert request_sandbox(ada, SMALL).node == idle
    assert request_sandbox(bob, SandboxRequest(image="docker")).node == node


def test_over_the_quota_the_running_ones_are_named(node: Node, ada: User, bob: User, row: Row) -> None:
    row(owner=ada, state="running", label="docker/first")
    row(owner=ada, state="creating", label="docker/second")
    with pytest.raises(OverQuota, match=r"2 machines.*(docker/first.*docker/second|docker/second.*docker/first)"):
        request_sandbox(ada, SMALL)
    assert request_sandbox(bob, SMALL).owner == bob


@pytest.mark.parametrize("state", ["stopping", "stopped", "failed"])
def test_what_is_ending_does_not_count(node: Node, ada: User, row: Row, state: str) -> None:
    for _ in range(3):
        row(owner=ada, state=state)
    assert request_sandbox(ada, SMALL).state == "creating"


def test_a_warm_one_is_claimed_and_the_pool_refilled(ada: User, row: Row, queued: Queued) -> None:
    warm = row(state="ready", label="warm pool")
    claimed = request_sandbox(ada, replace(SMALL, label="docker/first", idle=60))
    assert claimed.id == warm.id
    assert (claimed.state, claimed.owner, claimed.label, claimed.idle_seconds) == ("running", ada, "docker/first", 60)
    assert claimed.started_at is not None
    assert queued() == [("fill_pool", [])]


def test_a_warm_one_with_something_to_prepare_is_prepared_first(ada: User, row: Row, queued: Queued) -> None:
    warm = row(state="ready")
    claimed = request_sandbox(ada, replace(SMALL, setup="true", files=b"tar"))
    assert (claimed.id, claimed.state, claimed.setup, bytes(claimed.files)) == (warm.id, "creating", "true", b"tar")
    assert queued() == [("prepare_sandbox", [warm.id.hex]), ("fill_pool", [])]


@pytest.mark.parametrize(
    "other",
    [{"memory": 512 * MIB}, {"pids": 99}, {"network": "none"}, {"image_digest": "older"}, {"state": "creating"}, {"terminals": 2}],
)
def test_a_warm_one_that_is_not_just_so_stays(ada: User, row: Row, other: dict[str, Any]) -> None:
    warm = row(**({"state": "ready"} | other))
    assert request_sandbox(ada, SMALL).id != warm.id
    warm.refresh_from_db()
    assert warm.owner is None


def test_two_who_want_the_last_warm_one_do_not_get_the_same(node: Node, row: Row, queued: Queued) -> None:
    warm = [row(state="ready") for _ in range(2)]
    users = [User.objects.create_user(f"learner{number}") for number in range(6)]
    begin, got = threading.Barrier(len(users)), []

    def click(user: User) -> None:
        try:
            begin.wait(10)
            got.append(request_sandbox(user, SMALL))
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({sandbox.id for sandbox in got}) == len(users)
    assert {sandbox.id for sandbox in got if sandbox.state == "running"} == {sandbox.id for sandbox in warm}
    assert len({sandbox.owner_id for sandbox in got}) == len(users)
    assert sorted(name for name, _ in queued()) == ["create_sandbox"] * 4 + ["fill_pool"] * 2


def test_clicking_many_times_at_once_does_not_get_past_the_quota(node: Node, ada: User) -> None:
    begin, outcomes = threading.Barrier(5), []

    def click() -> None:
        try:
            begin.wait(10)
            outcomes.append(request_sandbox(ada, SMALL).state)
        except Refused as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["creating", "creating", "over-quota", "over-quota", "over-quota"]
    assert Sandbox.objects.filter(owner=ada).count() == 2
