"""A full site, as a learner meets it: a place in the line instead of a refusal."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.utils import timezone

from engine import waiting
from engine.models import AuditEntry, Node, Sandbox
from lessons import labs
from lessons.models import LabSession, Lesson
from tests.lessons.conftest import Login
from tests.lessons.test_lab_api import LESSON, start
from tests.lessons.test_lab_socket import socket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def full(node: Node, other: User) -> Node:
    """The only node takes one, and somebody has it."""
    Node.objects.update(max_sandboxes=1)
    Sandbox.objects.create(node=node, owner=other, image="linux", profile="basic", memory=1 << 28, cpus=1, pids=64, disk=1 << 30)
    return node


def gone_for(seconds: int) -> None:
    Sandbox.objects.filter(state="queued").update(last_activity_at=timezone.now() - timedelta(seconds=seconds))


def test_it_works(lesson: Lesson, learner: User, login: Login, full: Node, queued: Callable[[], list[tuple[str, list[str]]]]) -> None:
    client = login(learner)
    response = start(client)
    assert response.status_code == 201
    lab = response.json()
    assert (lab["state"], lab["queue"], lab["deadline_at"], lab["end"]) == ("queued", {"position": 1, "length": 1}, None, None)
    assert start(client).json()["id"] == lab["id"], "one place per lesson"
    assert "Waiting for a machine, number 1 of 1" in client.get("/").content.decode()

    Sandbox.objects.exclude(state="queued").update(state="stopped")
    waiting.admit()
    lab = client.get(f"/labs/{lab['id']}/").json()
    assert (lab["state"], lab["queue"]) == ("creating", None)
    assert queued() == [("create_sandbox", [Sandbox.objects.get(owner=learner).pk.hex])]


def test_leaving_gives_the_place_up(lesson: Lesson, learner: User, login: Login, full: Node) -> None:
    client = login(learner)
    lab = start(client).json()
    left = client.post(f"/labs/{lab['id']}/stop/").json()
    assert (left["state"], left["queue"], left["end"]["title"]) == ("stopped", None, "You left the line")
    assert LabSession.objects.get().ended_at
    again = start(client).json()
    assert (again["state"], again["id"] == lab["id"]) == ("queued", False)


def test_keeping_is_for_machines_only(lesson: Lesson, learner: User, login: Login, full: Node) -> None:
    client = login(learner)
    lab = start(client).json()
    assert client.post(f"/labs/{lab['id']}/keep/").status_code == 409


def test_a_page_that_asks_keeps_its_place(lesson: Lesson, learner: User, login: Login, full: Node) -> None:
    client = login(learner)
    lab = start(client).json()
    gone_for(130)
    assert len(waiting.absent()) == 1
    client.get(f"/labs/{lab['id']}/")
    assert waiting.absent() == []


async def test_an_open_page_keeps_its_place_and_hears_that_it_moves(
    lesson: Lesson, learner: User, full: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lessons.consumers.SEEN_EVERY", 0.05)
    first = await Sandbox.objects.acreate(
        owner=await User.objects.acreate(username="earlier"), state="queued", queued_at=timezone.now(), image="linux", profile="basic",
        memory=1 << 28, cpus=1, pids=64, disk=1 << 30,
    )  # fmt: skip
    session, _ = await sync_to_async(labs.start)(learner, lesson)
    page = socket(learner, session.pk)
    await page.connect()
    lab = (await page.receive_json_from(timeout=5))["lab"]
    assert lab["queue"] == {"position": 2, "length": 2}

    await sync_to_async(gone_for)(130)
    await sync_to_async(Sandbox.objects.filter(pk=first.pk).update)(last_activity_at=timezone.now())
    for _ in range(100):
        if await sync_to_async(waiting.absent)() == []:
            break
        await asyncio.sleep(0.02)
    assert await sync_to_async(waiting.absent)() == []

    from engine.lifecycle import stop_sandbox

    await sync_to_async(stop_sandbox)(first, "user")
    lab = (await page.receive_json_from(timeout=5))["lab"]
    assert lab["queue"] == {"position": 1, "length": 1}
    await page.disconnect()
    await sync_to_async(gone_for)(130)
    await asyncio.sleep(0.2)
    assert len(await sync_to_async(waiting.absent)()) == 1, "a closed page does not hold a place"


def test_a_line_that_is_too_long_is_refused_and_noted(
    lesson: Lesson, learner: User, login: Login, full: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_WAITING", 0)
    response = start(login(learner))
    assert (response.status_code, response.json()["error"]["code"]) == (503, "full")
    assert not LabSession.objects.exists()
    entry: Any = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject, entry.detail["code"]) == ("ada", "sandbox.refused", LESSON, "full")
