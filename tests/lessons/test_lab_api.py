import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from engine.models import Node, Sandbox
from lessons import labs
from lessons.models import LabSession, Lesson
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db
LESSON = "tiny/start/type-this"
Finish = Callable[..., None]


def start(client: Client, lesson: str = LESSON) -> Any:
    return client.post("/labs/", {"lesson": lesson}, content_type="application/json")


def error(response: Any) -> tuple[int, str]:
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "title", "text"}
    assert all(body["error"].values())
    return response.status_code, body["error"]["code"]


def test_it_works(lesson: Lesson, learner: User, login: Login, node: Node, finish: Finish) -> None:
    client = login(learner)
    response = start(client)
    assert response.status_code == 201
    lab = response.json()
    assert (lab["lesson"], lab["state"], lab["terminals"], lab["end"]) == (LESSON, "creating", [], None)
    sandbox = Sandbox.objects.get()
    assert (sandbox.owner, sandbox.label, sandbox.memory) == (learner, LESSON, 256 << 20)

    finish(sandbox, state=Sandbox.State.RUNNING)
    lab = client.get(f"/labs/{lab['id']}/").json()
    assert (lab["state"], [terminal["number"] for terminal in lab["terminals"]]) == ("running", [1, 2])

    assert client.post(f"/labs/{lab['id']}/keep/").status_code == 200
    lab = client.post(f"/labs/{lab['id']}/stop/").json()
    assert (lab["state"], lab["end"]["reason"]) == ("stopping", "user")
    assert LabSession.objects.get().ended_at


def test_a_lab_that_runs_is_given_back(lesson: Lesson, learner: User, login: Login, node: Node) -> None:
    client = login(learner)
    first, second = start(client), start(client)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert Sandbox.objects.count() == 1


def test_after_the_end_a_fresh_one_starts(lesson: Lesson, learner: User, login: Login, node: Node) -> None:
    client = login(learner)
    first = start(client).json()
    Sandbox.objects.update(state=Sandbox.State.FAILED, end_reason="failed")
    second = start(client)
    assert second.status_code == 201
    assert second.json()["id"] != first["id"]
    assert client.get(f"/labs/{first['id']}/").json()["state"] == "failed"


def test_each_learner_has_a_lab_of_their_own(lesson: Lesson, learner: User, other: User, login: Login, node: Node) -> None:
    assert start(login(learner)).json()["id"] != start(login(other)).json()["id"]


@pytest.mark.django_db(transaction=True)
def test_a_double_click_makes_one_lab(lesson: Lesson, learner: User, node: Node, queued: Callable[[], list[tuple[str, list[str]]]]) -> None:
    def click(_number: int) -> tuple[uuid.UUID, bool]:
        try:
            session, created = labs.start(learner, lesson)
            return session.pk, created
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(click, range(4)))
    assert len({pk for pk, _ in answers}) == 1
    assert [created for _, created in answers].count(True) == 1
    assert queued() == [("create_sandbox", [Sandbox.objects.get().pk.hex])]


def test_a_lost_race_leaves_no_machine_behind(lesson: Lesson, learner: User, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = labs.start(learner, lesson)
    # As if the other request had committed between this one's look and its insert.
    monkeypatch.setattr(labs, "_settle", lambda session: True)
    again, created = labs.start(learner, lesson)
    assert (again.pk, created) == (first.pk, False)
    assert Sandbox.objects.count() == 1


@pytest.mark.parametrize("call", ["get", "keep", "stop"])
def test_a_foreign_lab_is_not_found(lesson: Lesson, learner: User, other: User, login: Login, node: Node, call: str) -> None:
    lab = start(login(learner)).json()["id"]
    client = login(other)
    response = client.get(f"/labs/{lab}/") if call == "get" else client.post(f"/labs/{lab}/{call}/")
    assert error(response) == (404, "not-found")
    assert Sandbox.objects.get().state == Sandbox.State.CREATING


def test_an_admin_has_no_way_into_a_learners_lab_here(
    lesson: Lesson, learner: User, login: Login, node: Node, admin_client: Client
) -> None:
    lab = start(login(learner)).json()["id"]
    assert error(admin_client.get(f"/labs/{lab}/")) == (404, "not-found")


def test_an_unknown_lab_is_not_found(learner: User, login: Login) -> None:
    assert error(login(learner).get(f"/labs/{uuid.uuid4()}/")) == (404, "not-found")


def test_a_visitor_is_refused(lesson: Lesson, client: Client) -> None:
    assert error(start(client)) == (403, "forbidden")
    assert error(client.get(f"/labs/{uuid.uuid4()}/")) == (403, "forbidden")
    assert not LabSession.objects.exists()


def test_it_needs_a_csrf_token(lesson: Lesson, learner: User, node: Node) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(learner)
    assert start(client).status_code == 403
    assert not LabSession.objects.exists()


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "{}", '{"lesson": 3}', '{"lesson": "a"}', '{"lesson": "a/b/c/d"}', '{"lesson": "a/b/c", "image": "x"}', "\xff"]
)
def test_a_malformed_request_is_refused(learner: User, login: Login, body: str) -> None:
    response = login(learner).post("/labs/", body.encode("latin-1"), content_type="application/json")
    assert error(response) == (400, "bad-request")


def test_a_lesson_without_a_machine_is_refused(lesson: Lesson, learner: User, login: Login) -> None:
    assert error(start(login(learner), "tiny/more/the-end")) == (400, "bad-request")


def test_an_unknown_or_hidden_lesson_is_not_found(lesson: Lesson, learner: User, login: Login) -> None:
    assert error(start(login(learner), "tiny/start/none")) == (404, "not-found")
    Lesson.objects.update(published=False)
    assert error(start(login(learner))) == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path"), [("get", "/labs/"), ("post", f"/labs/{uuid.uuid4()}/"), ("get", f"/labs/{uuid.uuid4()}/stop/")]
)
def test_the_wrong_method_is_refused(learner: User, login: Login, method: str, path: str) -> None:
    response = getattr(login(learner), method)(path)
    assert error(response) == (405, "bad-request")
    assert response["Allow"] in ("GET", "POST")


def test_without_an_engine_it_says_so(lesson: Lesson, learner: User, login: Login) -> None:
    assert error(start(login(learner))) == (503, "no-node")
    assert not LabSession.objects.exists()


def test_a_full_site_says_so(lesson: Lesson, learner: User, login: Login, node: Node) -> None:
    Node.objects.update(max_sandboxes=0)
    assert error(start(login(learner))) == (503, "full")
    assert not LabSession.objects.exists()


def test_the_quota_says_so(lesson: Lesson, learner: User, login: Login, node: Node, settings: Any) -> None:
    settings.MAX_SANDBOXES_PER_USER = 0
    assert error(start(login(learner))) == (409, "over-quota")
    assert not LabSession.objects.exists()


def test_an_image_that_is_not_here_says_so(lesson: Lesson, learner: User, login: Login, node: Node) -> None:
    Node.objects.update(images={})
    assert error(start(login(learner)))[1] == "no-image"
    assert not LabSession.objects.exists()


def test_starting_over_and_over_is_slowed_down(lesson: Lesson, learner: User, other: User, login: Login, node: Node) -> None:
    client = login(learner)
    for _ in range(labs.MOST_STARTS):
        assert start(client).status_code == 201
        Sandbox.objects.update(state=Sandbox.State.STOPPED)
    assert error(start(client)) == (429, "too-many")
    assert start(login(other)).status_code == 201


def test_keeping_an_ended_lab_says_that_it_ended(lesson: Lesson, learner: User, login: Login, node: Node) -> None:
    client = login(learner)
    lab = start(client).json()["id"]
    client.post(f"/labs/{lab}/stop/")
    assert error(client.post(f"/labs/{lab}/keep/")) == (409, "ended")


def test_a_lab_whose_machine_the_engine_forgot_is_not_found_and_does_not_block(
    lesson: Lesson, learner: User, login: Login, node: Node
) -> None:
    client = login(learner)
    lab = start(client).json()["id"]
    Sandbox.objects.all().delete()
    assert error(client.get(f"/labs/{lab}/")) == (404, "not-found")
    assert start(client).status_code == 201


def test_looking_is_cheap_and_does_not_load_the_files(
    lesson: Lesson, learner: User, login: Login, node: Node, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = login(learner)
    lab = start(client).json()["id"]
    with django_assert_max_num_queries(5) as captured:  # session, user, lab, sandboxes, terminals
        response = client.get(f"/labs/{lab}/")
    assert '"files"' not in json.dumps([query["sql"] for query in captured.captured_queries]).replace("\\", "")
    assert "no-store" in response["Cache-Control"]
