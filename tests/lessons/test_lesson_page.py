from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from engine.models import Node, Sandbox
from lessons import labs
from lessons.models import Course, LabSession, Lesson, LessonProgress
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db
PATH = "/courses/tiny/start/type-this/"


def test_it_works(lesson: Lesson, learner: User, login: Login, node: Node) -> None:
    response = login(learner).get(PATH)
    context: Any = response.context
    assert (context["previous"].slug, context["next"].slug) == ("read-this", "the-end")
    assert context["lab_config"] == {
        "image": "linux",
        "title": "Linux",
        "ports": [{"port": 8080, "title": "Web app"}],
        "terminals": 2,
    }
    assert (context["lab"], context["done"]) == (None, False)
    assert context["html"] in response.content.decode()
    assert "test -e /root/file" not in response.content.decode()


def test_everybody_may_read_it(lesson: Lesson, client: Client) -> None:
    context: Any = client.get(PATH).context
    assert context["lab_config"]["title"] == "Linux"  # no node says more
    assert (context["progress"], context["done"], context["lab"]) == (None, False, None)
    assert not LessonProgress.objects.exists()


def test_opening_it_is_remembered(lesson: Lesson, learner: User, login: Login) -> None:
    client = login(learner)
    client.get(PATH)
    first = LessonProgress.objects.get()
    client.get(PATH)
    again = LessonProgress.objects.get()
    assert again.first_seen_at == first.first_seen_at
    assert again.last_seen_at > first.last_seen_at
    assert again.done_at is None


def test_the_first_and_the_last_have_one_neighbour(course: Course, client: Client) -> None:
    assert client.get("/courses/tiny/start/read-this/").context["previous"] is None
    assert client.get("/courses/tiny/more/the-end/").context["next"] is None
    assert client.get("/courses/tiny/more/the-end/").context["lab_config"] is None


@pytest.mark.parametrize("path", ["/courses/tiny/start/none/", "/courses/tiny/more/type-this/", "/courses/none/start/type-this/"])
def test_what_is_not_there_is_a_404(course: Course, client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_hidden_lesson_is_a_404(lesson: Lesson, client: Client) -> None:
    Lesson.objects.filter(pk=lesson.pk).update(published=False)
    assert client.get(PATH).status_code == 404


def test_it_shows_the_lab_that_runs_and_only_to_its_owner(lesson: Lesson, learner: User, other: User, login: Login, node: Node) -> None:
    session, _ = labs.start(learner, lesson)
    assert login(learner).get(PATH).context["lab"]["id"] == str(session.pk)
    assert login(other).get(PATH).context["lab"] is None


def test_it_shows_why_the_lab_ended_for_as_long_as_a_visit(lesson: Lesson, learner: User, login: Login, node: Node) -> None:
    session, _ = labs.start(learner, lesson)
    ended = timezone.now() - timedelta(minutes=5)
    Sandbox.objects.update(state=Sandbox.State.STOPPED, end_reason=Sandbox.Reason.IDLE, ended_at=ended)
    lab = login(learner).get(PATH).context["lab"]
    assert (lab["state"], lab["end"]["reason"]) == ("stopped", "idle")
    LabSession.objects.filter(pk=session.pk).update(ended_at=timezone.now() - timedelta(hours=1))
    assert login(learner).get(PATH).context["lab"] is None


def test_it_takes_few_queries(
    lesson: Lesson, learner: User, login: Login, node: Node, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = login(learner)
    labs.start(learner, lesson)
    client.get(PATH)
    with django_assert_max_num_queries(12):
        client.get(PATH)
