"""The account page: what is on it, a copy of one's data, and the end of an account."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.test import Client

from engine.models import AuditEntry, Node, Sandbox
from lessons import labs
from lessons.models import Lesson
from lessons.progress import mark
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def ada(learner: User) -> Client:
    """Signed in, and has confirmed the password just now."""
    learner.set_password(PASSWORD)
    learner.save()
    client = Client()
    assert client.post("/accounts/login/", {"login": "ada", "password": PASSWORD}).status_code == 302
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302
    return client


def test_it_works(ada: Client, learner: User) -> None:
    assert ada.post("/accounts/", {"name": "Ada Lovelace"}).status_code == 302
    learner.refresh_from_db()
    assert learner.get_full_name() == "Ada Lovelace"
    page = ada.get("/accounts/").content.decode()
    assert 'value="Ada Lovelace"' in page
    assert "1 browser<" in page


def test_a_name_that_is_too_long_is_refused_and_kept_in_the_form(ada: Client, learner: User) -> None:
    answer = ada.post("/accounts/", {"name": "x" * 151})
    assert answer.status_code == 422
    assert "x" * 151 in answer.content.decode()
    learner.refresh_from_db()
    assert learner.get_full_name() == ""


def test_it_asks_a_visitor_to_sign_in(client: Client, db: None) -> None:
    for path in ("/accounts/", "/accounts/export/", "/accounts/delete/"):
        assert client.get(path)["Location"].startswith("/accounts/login/")


def test_the_copy_has_what_is_kept_and_nothing_of_others(
    ada: Client, learner: User, other: User, login: Login, lesson: Lesson, node: Node
) -> None:
    for user in (learner, other):
        mark(user, lesson, done=True)
        labs.start(user, lesson)
    answer = ada.get("/accounts/export/")
    assert answer["Content-Disposition"] == 'attachment; filename="playground-ada.json"'
    copy = json.loads(answer.content)
    assert copy["profile"]["username"] == "ada"
    assert [row["lesson"] for row in copy["lesson_progress"]] == [lesson.path]
    assert copy["lesson_progress"][0]["done_at"]
    assert [row["lesson"] for row in copy["lab_sessions"]] == [lesson.path]
    assert [row["label"] for row in copy["machines"]] == [lesson.path]
    assert [row["action"] for row in copy["audit_log"]] == ["sandbox.start", "account.export"]
    assert "grace" not in answer.content.decode()


def test_the_copy_holds_no_secret(ada: Client, learner: User) -> None:
    Authenticator.objects.create(user=learner, type=Authenticator.Type.TOTP, data={"secret": get_adapter().encrypt("JBSWY3DP")})
    text = ada.get("/accounts/export/").content.decode()
    stored: Any = Authenticator.objects.get().data
    assert stored["secret"] not in text
    assert "JBSWY3DP" not in text
    assert learner.password not in text


def test_deleting_stops_machines_first(ada: Client, learner: User, lesson: Lesson, node: Node) -> None:
    labs.start(learner, lesson)
    answer = ada.post("/accounts/delete/", {"username": "ada"}, follow=True)
    assert "Your account is deleted." in answer.content.decode()
    assert not User.objects.filter(pk=learner.pk).exists()
    assert Sandbox.objects.get().state == Sandbox.State.STOPPING
    last = AuditEntry.objects.order_by("-id")[:2]
    assert {(entry.actor, entry.action) for entry in last} == {("engine", "sandbox.end"), ("ada", "account.delete")}
    assert ada.get("/accounts/").status_code == 302


def test_another_word_than_the_username_deletes_nothing(ada: Client, learner: User) -> None:
    answer = ada.post("/accounts/delete/", {"username": "grace"})
    assert answer.status_code == 422
    assert "This is not your username. It is ada." in answer.content.decode()
    assert User.objects.filter(pk=learner.pk).exists()


def test_the_last_administrator_stays(ada: Client, learner: User) -> None:
    User.objects.filter(pk=learner.pk).update(is_superuser=True, is_staff=True)
    ada.post("/accounts/delete/", {"username": "ada"})
    assert User.objects.filter(pk=learner.pk).exists()
    User.objects.create_superuser("second")
    ada.post("/accounts/delete/", {"username": "ada"})
    assert not User.objects.filter(pk=learner.pk).exists()


def test_deleting_asks_for_the_password(ada: Client) -> None:
    client = Client()
    client.post("/accounts/login/", {"login": "ada", "password": PASSWORD})
    for method in (client.get, client.post):
        assert method("/accounts/delete/")["Location"].startswith("/accounts/reauthenticate/")


def test_a_person_whom_an_admin_deletes_leaves_no_machine(learner: User, lesson: Lesson, node: Node, queued: Callable[[], Any]) -> None:
    labs.start(learner, lesson)
    learner.delete()
    assert Sandbox.objects.get().state == Sandbox.State.STOPPING


def test_secrets_of_apps_are_encrypted_in_the_database(settings: Any) -> None:
    stored = get_adapter().encrypt("JBSWY3DP")
    assert "JBSWY3DP" not in stored
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert get_adapter().decrypt(stored) == "JBSWY3DP"


def test_the_administrations_own_sign_in_asks_for_a_second_step(client: Client, db: None) -> None:
    assert client.get("/admin/login/?next=/admin/")["Location"].startswith("/accounts/login/")


def test_a_second_step_is_asked_for(learner: User, ada: Client) -> None:
    Authenticator.objects.create(user=learner, type=Authenticator.Type.TOTP, data={"secret": get_adapter().encrypt("JBSWY3DP" * 4)})
    client = Client()
    answer = client.post("/accounts/login/", {"login": "ada", "password": PASSWORD}, follow=True)
    assert "Enter the code that your authenticator app shows now" in answer.content.decode()
    wrong = client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "Incorrect code." in wrong.content.decode()
    assert client.get("/accounts/")["Location"].startswith("/accounts/login/")
