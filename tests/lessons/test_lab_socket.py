import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.urls import path

from engine.events import group
from engine.models import Node, Sandbox
from lessons import labs
from lessons.consumers import LabConsumer
from lessons.models import LabSession, Lesson

pytestmark = pytest.mark.django_db(transaction=True)


def socket(user: Any, lab_id: uuid.UUID) -> Any:
    """As playground.asgi routes it, with the user that its session middleware would find."""
    communicator = WebsocketCommunicator(URLRouter([path("ws/labs/<uuid:lab_id>/", LabConsumer.as_asgi())]), f"/ws/labs/{lab_id}/")
    communicator.scope["user"] = user
    return communicator


@pytest.fixture
def lab(lesson: Lesson, learner: User, node: Node) -> LabSession:
    session, _ = labs.start(learner, lesson)
    return session


async def test_it_works(lab: LabSession, learner: User) -> None:
    from channels.layers import get_channel_layer

    page = socket(learner, lab.pk)
    connected, _ = await page.connect()
    assert connected
    first = await page.receive_json_from(timeout=5)
    assert (first["type"], first["lab"]["id"], first["lab"]["state"]) == ("lab", str(lab.pk), "creating")

    sandbox = await Sandbox.objects.aget()
    await Sandbox.objects.aupdate(state=Sandbox.State.RUNNING)
    layer: Any = get_channel_layer()
    await layer.group_send(group(sandbox), {"type": "sandbox.changed"})
    second = await page.receive_json_from(timeout=5)
    assert (second["lab"]["state"], len(second["lab"]["terminals"])) == ("running", 2)
    await page.disconnect()


async def test_a_page_hears_that_its_lab_was_stopped_elsewhere(lab: LabSession, learner: User) -> None:
    page = socket(learner, lab.pk)
    await page.connect()
    await page.receive_json_from(timeout=5)
    await sync_to_async(labs.stop)(lab, by=learner)
    changed = await page.receive_json_from(timeout=5)
    assert changed["lab"]["end"]["reason"] == "user"
    await page.disconnect()
    assert (await LabSession.objects.aget()).ended_at


async def test_what_a_page_sends_is_ignored(lab: LabSession, learner: User) -> None:
    page = socket(learner, lab.pk)
    await page.connect()
    await page.receive_json_from(timeout=5)
    await page.send_to(text_data="not json")
    await page.send_to(bytes_data=b"\0" * 1000)
    assert await page.receive_nothing(timeout=0.2)
    await page.disconnect()


async def test_a_visitor_is_refused(lab: LabSession) -> None:
    assert await socket(AnonymousUser(), lab.pk).connect() == (False, 4401)


async def test_a_foreign_lab_is_refused(lab: LabSession, other: User) -> None:
    assert await socket(other, lab.pk).connect() == (False, 4404)


async def test_an_unknown_lab_is_refused(lab: LabSession, learner: User) -> None:
    assert await socket(learner, uuid.uuid4()).connect() == (False, 4404)
