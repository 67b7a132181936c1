"""A lab's terminals over HTTP, up to the task that the engine gets; and more time."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from engine import terminals
from engine.audit_models import AuditEntry
from engine.models import Node, QuotaRule, Sandbox, Terminal
from engine.terminals import MOST
from lessons.models import Lesson
from tests.lessons.conftest import Login

Queued = Callable[[], list[tuple[str, list[str]]]]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox(lesson: Lesson, learner: User, login: Login, node: Node, queued: Queued) -> Sandbox:
    login(learner).post("/labs/", {"lesson": lesson.path}, content_type="application/json")
    Sandbox.objects.update(state=Sandbox.State.RUNNING, started_at=timezone.now())
    queued()
    return Sandbox.objects.get()


@pytest.fixture
def client_(learner: User, login: Login) -> Client:
    return login(learner)


def post(client: Client, sandbox: Sandbox, path: str, body: Any = None) -> Any:
    lab = sandbox.lab_sessions.get()
    return client.post(f"/labs/{lab.pk}/{path}", body if body is not None else {}, content_type="application/json")


def test_it_works(sandbox: Sandbox, client_: Client, queued: Queued) -> None:
    answer = post(client_, sandbox, "terminals/")
    assert (answer.status_code, answer.json()["opening"]) == (202, 3)
    assert [item["number"] for item in answer.json()["terminals"]] == [1, 2, 3]
    third = Terminal.objects.get(number=3)
    assert queued() == [("change_terminal", [third.id.hex])]
    Terminal.objects.update(state="open")

    assert post(client_, sandbox, "terminals/", {"number": 3}).status_code == 200, "one that is there is given back"
    named = post(client_, sandbox, "terminals/3/rename/", {"title": " logs "}).json()
    assert [item["title"] for item in named["terminals"]] == ["Terminal 1", "Terminal 2", "logs"]
    assert post(client_, sandbox, "terminals/3/restart/").status_code == 202
    assert [task for task, _ in queued()] == ["change_terminal"]
    closed = post(client_, sandbox, "terminals/3/close/").json()
    assert [item["number"] for item in closed["terminals"]] == [1, 2]
    for gone in ("3", "9" * 30):
        assert post(client_, sandbox, f"terminals/{gone}/restart/").status_code == 404


def test_there_are_only_so_many(sandbox: Sandbox, client_: Client) -> None:
    for _ in range(MOST - 2):
        assert post(client_, sandbox, "terminals/").status_code == 202
    refused = post(client_, sandbox, "terminals/")
    assert refused.status_code == 409
    assert refused.json()["error"]["text"] == f"A machine has {MOST} terminals at most. Close one, then open another."
    assert Terminal.objects.count() == MOST


def test_a_script_is_slowed_down(sandbox: Sandbox, client_: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminals, "MOST_CHANGES", 2)
    assert post(client_, sandbox, "terminals/").status_code == 202
    assert post(client_, sandbox, "terminals/3/restart/").status_code == 202
    refused = post(client_, sandbox, "terminals/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too-many")
    assert Terminal.objects.count() == 3


def test_the_last_one_stays(sandbox: Sandbox, client_: Client) -> None:
    assert post(client_, sandbox, "terminals/1/close/").status_code == 200
    refused = post(client_, sandbox, "terminals/2/close/")
    assert (refused.status_code, "keeps one terminal" in refused.json()["error"]["text"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("terminals/", {"number": 9}),
        ("terminals/", {"argv": ["sh"]}),
        ("terminals/1/rename/", {"title": "x" * 41}),
        ("terminals/1/rename/", {"title": "a\nb"}),
    ],
)
def test_bad_input_is_refused(sandbox: Sandbox, client_: Client, path: str, body: Any) -> None:
    assert post(client_, sandbox, path, body).status_code == 400
    assert set(Terminal.objects.values_list("title", flat=True)) == {""}


def test_another_person_gets_none_of_it(sandbox: Sandbox, other: User, login: Login, queued: Queued) -> None:
    stranger = login(other)
    for path in ("terminals/", "terminals/1/rename/", "terminals/1/restart/", "terminals/1/close/", "extend/"):
        assert post(stranger, sandbox, path, {"title": "mine"} if "rename" in path else None).status_code == 404
        assert post(Client(), sandbox, path).status_code == 403
    address = f"/labs/{sandbox.lab_sessions.get().pk}/terminals/1/transcript"
    assert stranger.get(address).status_code == 404
    assert Client().get(address).status_code == 302
    assert queued() == []


def test_the_transcript_is_a_text_file(sandbox: Sandbox, client_: Client, settings: Any, tmp_path: Any) -> None:
    settings.STATE = tmp_path
    directory = tmp_path / "sandboxes" / sandbox.id.hex / "terminals" / "1"
    directory.mkdir(parents=True)
    at = "2026-01-01T00:00:00.000000000+00:00 stdout"
    lines = (f"{at} F \x1b[1mline {number}\x1b[0m\r\n" for number in range(5000))
    (directory / "log").write_text("".join(lines))
    address = f"/labs/{sandbox.lab_sessions.get().pk}/terminals"
    answer: Any = client_.get(f"{address}/1/transcript")

    async def received() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    text = asyncio.run(received()).decode()
    assert text == "".join(f"line {number}\n" for number in range(5000))
    assert answer["Content-Disposition"] == 'attachment; filename="type-this-terminal-1.txt"'
    assert answer["Content-Type"].startswith("text/plain")
    assert client_.get(f"{address}/2/transcript").status_code == 404, "its log is not there"


def test_more_time_as_far_as_the_quotas_go(sandbox: Sandbox, client_: Client, learner: User) -> None:
    Sandbox.objects.update(lifetime_seconds=3600)
    QuotaRule.objects.create(scope="user", user=learner, lifetime_seconds=3600 + 5400)
    assert post(client_, sandbox, "extend/").status_code == 200
    sandbox.refresh_from_db()
    assert sandbox.lifetime_seconds == 7200
    assert post(client_, sandbox, "extend/").status_code == 200
    sandbox.refresh_from_db()
    assert sandbox.lifetime_seconds == 9000, "what is left of it"
    refused = post(client_, sandbox, "extend/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "over-quota")
    assert "may run 150 minutes at most (set for you)" in refused.json()["error"]["text"]
    assert AuditEntry.objects.filter(action="sandbox.extend").count() == 2


def test_more_time_ends_with_the_day_s_hours(sandbox: Sandbox, client_: Client, learner: User) -> None:
    with time_machine.travel(timezone.localtime().replace(hour=12), tick=False):  # past midnight there are new hours
        Sandbox.objects.update(lifetime_seconds=1800, started_at=timezone.now() - timedelta(seconds=1))
        QuotaRule.objects.create(scope="user", user=learner, daily_hours=0.5)
        refused = post(client_, sandbox, "extend/")
    assert refused.status_code == 409
    assert "0.5 hours a day together (set for you)" in refused.json()["error"]["text"]
