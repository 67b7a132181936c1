"""The worker finds what a sandbox listens on, and tells its page when that has changed."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.contrib.auth.models import User

from engine import tasks
from engine.describe import describe
from engine.models import Node, Preview, Sandbox
from engine.preview import listening
from engine.runtime import sandbox as runtime
from engine.runtime.host import Host
from tests.conftest import Make, Run

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]


def _told(monkeypatch: pytest.MonkeyPatch) -> list[Sandbox]:
    told: list[Sandbox] = []
    monkeypatch.setattr(listening, "announce", told.append)
    return told


def test_it_works(
    host: Host, make: Make, run: Run, node: Node, ada: User, row: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = _told(monkeypatch)
    sandbox = row(id=UUID(make().id), owner=ada, state="running")
    tasks.find_ports()
    preview = Preview.objects.get(sandbox=sandbox)
    slot = runtime.slot_of(host, sandbox.id.hex)
    assert slot is not None
    assert (preview.address, preview.ports) == (str(slot.address), [])
    assert len(told) == 1  # now its page may open ports
    tasks.find_ports()
    assert len(told) == 1
    run(sandbox.id.hex, "sh", "-c", "setsid nc -l -k -p 7000 >/dev/null 2>&1 & while ! ss -ltn | grep -q :7000; do sleep 0.05; done")
    tasks.find_ports()
    assert len(told) == 2
    sandbox.refresh_from_db()
    assert describe(sandbox)["ports"] == [{"port": 7000, "reachable": True}]
    assert describe(sandbox)["ports_path"] == f"/ports/{preview.key}/"


def test_one_that_has_ended_is_left_alone(node: Node, ada: User, row: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    told = _told(monkeypatch)
    row(owner=ada, state="running")  # nothing of it is on the host
    tasks.find_ports()
    assert told == []


def test_the_other_nodes_are_asked_to_look_too(node: Node) -> None:
    Node.objects.create(name="beside")
    Node.objects.create(name="lost", heartbeat_at=node.heartbeat_at.replace(year=2020))
    sent: list[dict[str, object]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.find_ports, "apply_async", lambda **options: sent.append(options))
        tasks.find_ports(everywhere=True)
    assert [options["queue"] for options in sent] == ["tend.beside"]
