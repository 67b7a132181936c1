"""Pages for what went wrong: each says what happened and offers one way on."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from structlog.testing import capture_logs

from lessons import courses
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db


def says(answer: Any, status: int, heading: str, action: str) -> str:
    page = str(answer.content.decode())
    assert answer.status_code == status
    assert f"<h1>{heading}</h1>" in page
    assert re.findall(r'class="button(?: primary)?" href="[^"]*">([^<]+)<', page.partition("<h1>")[2]) == [action]
    return page


def test_a_failure_has_a_reference_that_is_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(courses, "visible_courses", fail)
    client = Client(raise_request_exception=False)
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        page = says(client.get("/courses/"), 500, "Something failed on our side", "Try again")
    reference = re.search(r"<code>([\w-]{8,64})</code>", page)
    assert reference
    ours = [line for line in lines if line["event"] == "request.failed"]
    assert [(line["reference"], line["request_id"], line["path"]) for line in ours] == [(reference[1], reference[1], "/courses/")]


def test_a_reference_that_the_request_brought_is_not_put_into_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courses, "visible_courses", lambda _: 1 / 0)
    client = Client(raise_request_exception=False, headers={"X-Request-ID": "<b>call this number</b>"})
    assert "call this number" not in client.get("/courses/").content.decode()


def test_an_address_that_is_not_there(client: Client) -> None:
    says(client.get("/nothing/"), 404, "There is no page here", "See all courses")


def test_a_page_one_may_not_see(learner: User, login: Login) -> None:
    says(login(learner).get("/manage/health/"), 403, "You may not see this page", "Go to the start page")


def test_a_form_from_another_session(learner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    says(client.post("/accounts/login/", {"login": "ada"}), 403, "This page was open too long", "Go to the start page")


def test_a_request_that_cannot_be_read(client: Client) -> None:
    says(client.get("/", headers={"Host": "evil.example.org"}), 400, "The site could not read this request", "Go to the start page")


def test_too_many_attempts(client: Client) -> None:
    cache.clear()
    for _ in range(20):
        client.post("/accounts/password/reset/", {"email": "nobody@example.org"})
    answer = client.post("/accounts/password/reset/", {"email": "nobody@example.org"})
    says(answer, 429, "Too many attempts", "Go to the start page")
    assert answer["Retry-After"] == "300"
    cache.clear()


class TestMaintenance:
    @pytest.fixture(autouse=True)
    def _state(self, settings: Any, tmp_path: Path) -> Iterator[None]:
        (tmp_path / "run").mkdir()
        settings.STATE = tmp_path
        call_command("maintenance", "on", text="Until 14:00: a larger disk. <Soon>")
        yield
        call_command("maintenance", "off")
        assert Client().get("/courses/").status_code == 200

    def test_it_works(self, client: Client) -> None:
        page = says(client.get("/courses/"), 503, "The site is being looked after", "Try again")
        assert "Until 14:00: a larger disk. &lt;Soon&gt;" in page

    def test_a_script_gets_the_contracts_error(self, learner: User, login: Login) -> None:
        answer = login(learner).post("/labs/", {"lesson": "a/b/c"}, content_type="application/json")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "maintenance"
        assert answer.json()["error"]["text"].startswith("Until 14:00")

    def test_staff_and_the_health_check_pass(self, learner: User, login: Login, client: Client) -> None:
        assert client.get("/accounts/login/").status_code == 200
        User.objects.filter(pk=learner.pk).update(is_staff=True)
        assert login(learner).get("/courses/").status_code == 200
        assert client.get("/healthz")["Content-Type"] == "application/json"

    def test_a_text_too_long_for_the_page_is_refused(self) -> None:
        with pytest.raises(CommandError, match="501 characters; 500 are the most"):
            call_command("maintenance", "on", text="x" * 501)
