"""Who may ask for a machine's files over HTTP, and what is refused before a machine is asked. The rest: tests/engine/test_files.py."""

import json
import socket
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from engine import files, files_inside, files_link
from engine.files_words import ERRNOS, WORDS, refusal, refused_by
from engine.models import Node, Sandbox
from lessons.models import Lesson
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db
READS = ("", "text", "measure", "download")
WRITES = ("save", "folder", "move", "delete", "upload", "cancel")


@pytest.fixture
def lab(lesson: Lesson, learner: User, login: Login, node: Node, finish: Callable[..., None]) -> str:
    """A running lab whose machine must not be asked."""
    path = str(login(learner).post("/labs/", {"lesson": "tiny/start/type-this"}, content_type="application/json").json()["id"])
    finish(Sandbox.objects.get(), state=Sandbox.State.RUNNING)
    return f"/labs/{path}/files/"


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What machines are asked here. None answers."""
    requests: list[dict[str, Any]] = []

    def ask(sandbox: Sandbox, request: dict[str, Any], payload: bytes = b"", seconds: float = 0) -> Any:
        requests.append({**request, "sandbox": sandbox.id, "payload": payload})
        raise refusal("silent")

    monkeypatch.setattr(files, "ask", ask)
    return requests


def code(response: Any) -> tuple[int, str]:
    error = response.json()["error"]
    assert error["title"]
    assert error["text"]
    return response.status_code, error["code"]


def test_it_asks_the_owner_s_machine(lab: str, learner: User, login: Login, asked: list[dict[str, Any]]) -> None:
    client = login(learner)
    assert code(client.get(lab, {"path": "/root/%FF"})) == (503, "silent")
    assert code(client.post(f"{lab}save?path=/root/a&expected=any", b"text\r\n", content_type="text/plain")) == (503, "silent")
    sandbox = Sandbox.objects.get().id
    assert asked == [
        {"call": "folder", "path": "/root/%FF", "sandbox": sandbox, "payload": b""},
        {"call": "write", "path": "/root/a", "expected": "any", "sandbox": sandbox, "payload": b"text\r\n"},
    ]


def test_nobody_else_may(lab: str, other: User, login: Login, asked: list[dict[str, Any]]) -> None:
    """Not even an administrator: files are as private as the terminal."""
    other.is_staff = other.is_superuser = True
    other.save()
    for client, answer in ((login(other), (404, "not-found")), (Client(), (403, "forbidden"))):
        for name in READS:
            assert code(client.get(f"{lab}{name}", {"path": "/root"})) == answer
        for name in WRITES:
            assert code(client.post(f"{lab}{name}?path=/root/a", {"path": "/root/a"}, content_type="application/json")) == answer
    assert asked == []


def test_writes_need_the_page_s_token(lab: str, learner: User, asked: list[dict[str, Any]]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(learner)
    for name in WRITES:
        assert client.post(f"{lab}{name}?path=/root/a", b"x", content_type="text/plain").status_code == 403
        assert code(client.get(f"{lab}{name}?path=/root/a")) == (405, "bad-request")
    assert asked == []


@pytest.mark.parametrize("state", set(Sandbox.State) - {Sandbox.State.RUNNING})
def test_only_of_a_machine_that_runs(
    lab: str, learner: User, login: Login, finish: Callable[..., None], asked: list[dict[str, Any]], state: str
) -> None:
    finish(Sandbox.objects.get(), state=state)
    assert code(login(learner).get(lab, {"path": "/root"})) == (409, "not-running")
    assert code(login(learner).get(f"/labs/{uuid.uuid4()}/files/", {"path": "/root"})) == (404, "not-found")
    assert asked == []


BAD_PATHS = ("", "root", "/root/../etc", "/./a", "//", "/a//b", "/a/", "/a%00", "/%2e%2e/x", f"/{'a' * 256}", "/a" * 2100)


@pytest.mark.parametrize("path", BAD_PATHS)
def test_paths_are_whole_and_absolute(lab: str, learner: User, login: Login, asked: list[dict[str, Any]], path: str) -> None:
    client = login(learner)
    for name in READS:
        assert code(client.get(f"{lab}{name}", {"path": path})) == (400, "bad-path")
    assert asked == []


def test_the_whole_machine_is_not_deleted(lab: str, learner: User, login: Login, asked: list[dict[str, Any]]) -> None:
    client = login(learner)
    assert code(client.post(f"{lab}delete", {"path": "/"}, content_type="application/json")) == (400, "root")
    assert code(client.post(f"{lab}move", {"path": "/root", "to": "/"}, content_type="application/json")) == (400, "root")
    assert asked == []


def test_sizes_are_limited_before_the_machine_is_asked(lab: str, learner: User, login: Login, asked: list[dict[str, Any]]) -> None:
    client = login(learner)
    too_large = client.post(f"{lab}save?path=/root/a&expected=any", b"x" * ((1 << 20) + 1), content_type="text/plain")
    assert code(too_large) == (413, "too-large-to-edit")
    part = f"{lab}upload?path=/root/a&upload={'0' * 16}"
    assert code(client.post(f"{part}&offset=0&total=99999999", b"x", content_type="text/plain")) == (413, "too-large-to-upload")
    too_long = client.post(f"{part}&offset=0&total=2000000", b"x" * 1_500_000, content_type="text/plain")
    assert code(too_long) == (409, "out-of-step")
    for wrong in ("offset=-1&total=1", "offset=x&total=1", "offset=0"):
        assert code(client.post(f"{part}&{wrong}", b"x", content_type="text/plain")) == (400, "bad-request")
    for wrong in ("offset=5&total=1", "offset=0&total=0"):
        assert code(client.post(f"{part}&{wrong}", b"x", content_type="text/plain")) == (409, "out-of-step")
    for body in ("", "[]", "{}", '{"path": 1}', '{"path": "/a", "more": 1}'):
        assert code(client.post(f"{lab}folder", body, content_type="application/json")) == (400, "bad-request")
    assert asked == []


def test_every_refusal_has_words() -> None:
    for word in WORDS:
        refused = refused_by({"error": word, "size": 5 << 30})
        assert refused.code == word
        assert refused.title
        assert "{" not in refused.text
    for number in ERRNOS:
        assert refused_by({"error": "system", "errno": number}).text
    assert refused_by({"error": "system", "errno": 71}).text == "The machine says: Protocol error."
    nonsense: list[dict[str, Any]] = [
        {"error": "x"},
        {"error": None},
        {"error": []},
        {"error": "system"},
        {"error": "system", "errno": 10**9},
    ]
    assert {refused_by(answer).code for answer in nonsense} == {"garbled"}


class Said:
    """A connection with packets to give."""

    def __init__(self, *packets: bytes) -> None:
        self.mine, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for packet in packets:
            self.theirs.send(packet)


def _packets(text: bytes, payload: bytes = b"") -> bytes:
    return files_link.LENGTHS.pack(len(text), len(payload)) + text + payload


@pytest.mark.parametrize("cut", [1, 3, 8, 9, 15])
def test_an_answer_may_come_in_pieces(cut: int) -> None:
    whole = _packets(b'{"a": 1}', b"\x00\xff")
    said = Said(b"\x02" + whole[:cut], b"\x03noise on stderr", b"\x02" + whole[cut:])
    assert files_link.Wire(said.mine).exchange(b"?", 1.0) == ({"a": 1}, b"\x00\xff")


@pytest.mark.parametrize(
    "packet",
    [
        _packets(b"[]"), _packets(b"1"), _packets(b"{"), _packets(b"\xff"), _packets(b"{}") + b"x", _packets(b"[" * 100_000),
        files_link.LENGTHS.pack(files_link.TEXT_MAX + 1, 0), files_link.LENGTHS.pack(2, files_link.PAYLOAD_MAX + 1), b"\xff" * 8,
    ],
)  # fmt: skip
def test_what_is_no_answer_ends_it(packet: bytes) -> None:
    said = Said(b"\x02" + packet[:60_000], *([b"\x02" + packet[60_000:]] if packet[60_000:] else []))
    with pytest.raises(files_link.Garbled):
        files_link.Wire(said.mine).exchange(b"?", 0.5)


def test_who_says_nothing_is_not_waited_for() -> None:
    said = Said()
    with pytest.raises(files_link.Garbled, match="silent"):
        files_link.Wire(said.mine).exchange(b"?", 0.05)


def test_names_survive_the_way() -> None:
    raw = bytes(range(1, 256)).replace(b"/", b"")
    assert files_inside.unquote(files_inside.quote(raw)) == raw
    assert files.Entry(name=files_inside.quote(raw[:200]), kind="file", link=False, size=0, modified=0)
    assert json.dumps(files_inside.quote(raw)).isascii()
