from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from engine.models import Node, Sandbox
from lessons import labs
from lessons.models import LabSession, Lesson
from lessons.progress import mark, see
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db


def test_a_visitor_sees_the_courses(lesson: Lesson, client: Client) -> None:
    context: Any = client.get("/").context
    assert [card["course"].slug for card in context["courses"]] == ["tiny"]
    assert "machines" not in context


def test_a_learner_goes_on_where_they_were(lesson: Lesson, learner: User, login: Login, node: Node) -> None:
    see(learner, lesson)
    session, _ = labs.start(learner, lesson)
    context: Any = login(learner).get("/").context
    assert context["continue_lesson"] == lesson
    assert context["continue_lab"]["id"] == str(session.pk)
    assert [(lab["lesson_title"], lab["lesson_url"]) for lab in context["machines"]] == [("Type this", "/courses/tiny/start/type-this/")]


def test_a_new_learner_has_nothing_to_continue(lesson: Lesson, learner: User, login: Login) -> None:
    context: Any = login(learner).get("/").context
    assert (context["continue_lesson"], context["continue_lab"], context["machines"]) == (None, None, [])


def test_after_a_lesson_that_is_done_comes_the_next(lesson: Lesson, learner: User, login: Login) -> None:
    mark(learner, lesson, done=True)
    assert login(learner).get("/").context["continue_lesson"].slug == "the-end"


def test_a_machine_that_ended_is_not_listed_and_its_session_is_closed(lesson: Lesson, learner: User, login: Login, node: Node) -> None:
    labs.start(learner, lesson)
    Sandbox.objects.update(state=Sandbox.State.FAILED)
    assert login(learner).get("/").context["machines"] == []
    assert LabSession.objects.get().ended_at


def test_somebody_elses_machine_is_not_listed(lesson: Lesson, learner: User, other: User, login: Login, node: Node) -> None:
    labs.start(learner, lesson)
    assert login(other).get("/").context["machines"] == []
