"""Saved machines on the site: by name and date, for their owner alone, with a way on in every state."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from engine.models import AuditEntry, Node, Sandbox, SavedMachine
from engine.runtime.spec import MIB
from lessons import labs
from lessons.models import LabSession, Lesson
from tests.engine.paper import rule
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db
Finish = Callable[..., None]


@pytest.fixture
def running(lesson: Lesson, learner: User, node: Node, finish: Finish) -> LabSession:
    session, _ = labs.start(learner, lesson)
    finish(session.sandboxes.get(), state="running", started_at=timezone.now())
    return labs.find_lab(learner, session.pk)


@pytest.fixture
def kept(lesson: Lesson, learner: User, node: Node) -> SavedMachine:
    wishes = {"memory": 512 * MIB, "cpus": 1.0, "pids": 256, "disk": 1024 * MIB, "idle_seconds": 900, "lifetime_seconds": 7200}
    return SavedMachine.objects.create(
        owner=learner, node=node, name="Half a <b>web</b> site", label=lesson.path, image="linux", image_digest="0" * 64, profile="basic",
        network="lab", wishes=wishes, size=12 * MIB, state="saved",
    )  # fmt: skip


def save(client: Client, session: LabSession, name: str) -> Any:
    return client.post(f"/labs/{session.pk}/save/", {"name": name}, content_type="application/json")


def test_it_works(running: LabSession, learner: User, login: Login, finish: Finish) -> None:
    client = login(learner)
    lab = save(client, running, "  My web site ").json()
    assert (lab["state"], lab["saved"]["name"], lab["saved"]["state"]) == ("stopping", "My web site", "saving")
    home = client.get("/").content.decode()
    assert "My web site" in home
    assert ">Saving<" in home
    SavedMachine.objects.update(state="saved", size=12 * MIB)
    finish(running.sandboxes.get(), state="stopped")
    lab = client.get(f"/labs/{running.pk}/").json()
    assert (lab["end"]["title"], lab["saved"]["resumable"]) == ("Your machine is saved", True)
    assert "“My web site”" in lab["end"]["text"]
    response = client.post(f"/saved/{lab['saved']['id']}/lab/")
    assert (response.status_code, response.json()["state"], response.json()["lesson"]) == (201, "creating", lab["lesson"])


@pytest.mark.parametrize("name", ["", "   ", "a" * 101, "two\nlines", None])
def test_a_name_that_cannot_be_is_refused_and_the_machine_runs_on(running: LabSession, learner: User, login: Login, name: Any) -> None:
    response = save(login(learner), running, name)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad-request")
    assert running.sandboxes.get().state == "running"


def test_over_the_quota_the_machine_runs_on_and_the_log_has_it(running: LabSession, learner: User, login: Login) -> None:
    rule(learner, saved_disk=10 * MIB)
    error = save(login(learner), running, "My web site").json()["error"]
    assert error["code"] == "over-saved-disk"
    assert "10 MiB (set for you)" in error["text"]
    assert running.sandboxes.get().state == "running"
    assert AuditEntry.objects.filter(action="sandbox.refused").exists()


def test_the_home_page_lists_them_and_their_room(kept: SavedMachine, learner: User, other: User, login: Login) -> None:
    home = login(learner).get("/").content.decode()
    assert "Half a &lt;b&gt;web&lt;/b&gt; site" in home
    assert "They take 12 MiB of 4 GiB." in home
    assert "Half a" not in login(other).get("/").content.decode()
    assert "Half a" in login(learner).get("/?part=saved").content.decode()


def test_a_node_that_is_down_is_named(kept: SavedMachine, learner: User, login: Login, node: Node) -> None:
    Node.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    home = login(learner).get("/").content.decode()
    assert f"on the node {node.name}, which does not answer now. It is kept there" in home
    assert f"/saved/{kept.id}/resume/" not in home


def test_one_that_failed_says_why_and_may_be_tried_again(kept: SavedMachine, learner: User, login: Login) -> None:
    SavedMachine.objects.update(state="failed", reason="disk failed: the saved disk holds no ext4 file system")
    home = login(learner).get("/").content.decode()
    assert "holds no ext4 file system" in home
    assert f"/saved/{kept.id}/resume/" in home


def test_home_resumes_it_on_its_lessons_page(kept: SavedMachine, lesson: Lesson, learner: User, login: Login) -> None:
    client = login(learner)
    response = client.post(f"/saved/{kept.id}/resume/")
    assert response["Location"] == lesson.get_absolute_url()
    assert client.get(lesson.get_absolute_url()).context["lab"]["saved"]["name"] == kept.name
    home = client.get("/").content.decode()
    assert ">In use<" in home
    assert 'data-kept="true"' in home


def test_beside_a_machine_of_the_same_lesson_it_is_refused(running: LabSession, kept: SavedMachine, learner: User, login: Login) -> None:
    error = login(learner).post(f"/saved/{kept.id}/lab/").json()["error"]
    assert (error["code"], "Stop or save that one" in error["text"]) == ("busy", True)
    response = login(learner).post(f"/saved/{kept.id}/resume/", follow=True)
    assert "Stop or save that one" in response.content.decode()


def test_a_lesson_that_is_gone_says_so(kept: SavedMachine, lesson: Lesson, learner: User, login: Login) -> None:
    Lesson.objects.filter(pk=lesson.pk).update(published=False)
    assert "Its lesson is not there any more" in login(learner).get("/").content.decode()
    assert login(learner).post(f"/saved/{kept.id}/lab/").status_code == 400


def test_deleting_asks_first(kept: SavedMachine, learner: User, login: Login) -> None:
    client = login(learner)
    assert "nobody can bring them back" in client.get(f"/saved/{kept.id}/delete/").content.decode()
    kept.refresh_from_db()
    assert kept.state == "saved"
    client.post(f"/saved/{kept.id}/delete/")
    kept.refresh_from_db()
    assert kept.state == "deleting"
    assert client.get("/").context["saved"] == []


@pytest.mark.parametrize(("path", "status"), [("lab", 404), ("resume", 302), ("delete", 404)])
def test_somebody_elses_is_not_there(kept: SavedMachine, other: User, login: Login, path: str, status: int) -> None:
    assert login(other).post(f"/saved/{kept.id}/{path}/").status_code == status
    kept.refresh_from_db()
    assert (kept.state, Sandbox.objects.count()) == ("saved", 0)


def test_somebody_elses_machine_cannot_be_saved(running: LabSession, other: User, login: Login) -> None:
    assert save(login(other), running, "Mine now").status_code == 404
    assert not SavedMachine.objects.exists()


@pytest.mark.parametrize("path", ["lab", "resume", "delete"])
def test_a_visitor_gets_nothing_and_a_form_from_elsewhere_neither(kept: SavedMachine, learner: User, path: str) -> None:
    assert Client().post(f"/saved/{kept.id}/{path}/").status_code in (302, 403)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(learner)
    assert strict.post(f"/saved/{kept.id}/{path}/").status_code == 403
    kept.refresh_from_db()
    assert kept.state == "saved"
