from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from lessons.models import Chapter, Course, Lesson
from lessons.progress import mark, see
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db


def lessons() -> dict[str, Lesson]:
    return {lesson.slug: lesson for lesson in Lesson.objects.select_related("chapter__course")}


def test_it_works(course: Course, learner: User, login: Login) -> None:
    mark(learner, lessons()["read-this"], done=True)
    see(learner, lessons()["type-this"])
    context: Any = login(learner).get("/courses/tiny/").context
    shown = [
        (
            part["title"],
            entry["chapter"].title,
            entry["minutes"],
            [(row["lesson"].slug, row["done"], row["seen"]) for row in entry["lessons"]],
        )
        for part in context["parts"]
        for entry in part["chapters"]
    ]
    assert shown == [
        ("The first part", "Start", 10, [("read-this", True, True), ("type-this", False, True)]),
        ("The second part", "More", 5, [("the-end", False, False)]),
    ]
    assert (context["lessons_done"], context["lessons_total"], context["percent"]) == (1, 3, 33)
    assert context["continue_lesson"].slug == "type-this"


def test_a_visitor_starts_at_the_first_lesson(course: Course, client: Client) -> None:
    context: Any = client.get("/courses/tiny/").context
    assert (context["continue_lesson"].slug, context["lessons_done"]) == ("read-this", 0)


def test_after_the_last_lesson_the_first_undone_one_is_next(course: Course, learner: User, login: Login) -> None:
    mark(learner, lessons()["the-end"], done=True)
    assert login(learner).get("/courses/tiny/").context["continue_lesson"].slug == "read-this"
    for lesson in lessons().values():
        mark(learner, lesson, done=True)
    context: Any = login(learner).get("/courses/tiny/").context
    assert (context["continue_lesson"], context["percent"]) == (None, 100)


def test_a_hidden_course_is_for_staff(course: Course, client: Client, admin_client: Client) -> None:
    Course.objects.update(published=False)
    for path in ("/courses/tiny/", "/courses/tiny/start/read-this/", "/courses/tiny/media/01-start/images/box.svg"):
        assert client.get(path).status_code == 404
        assert admin_client.get(path).status_code == 200
    assert not client.get("/courses/").context["courses"]
    assert len(admin_client.get("/courses/").context["courses"]) == 1


def test_the_list_counts_each_learners_own_lessons(course: Course, learner: User, other: User, login: Login) -> None:
    mark(learner, lessons()["read-this"], done=True)
    see(learner, lessons()["type-this"])
    for user, done, share in ((learner, 1, 33), (other, 0, 0)):
        (card,) = login(user).get("/courses/").context["courses"]
        assert (card["lessons_done"], card["lessons_total"], card["percent"]) == (done, 3, share)


@pytest.mark.parametrize("path", ["/courses/", "/courses/tiny/", "/"])
def test_the_number_of_queries_does_not_grow_with_the_course(
    course: Course, learner: User, login: Login, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = login(learner)
    for number in range(15):
        chapter = Chapter.objects.create(course=course, slug=f"c{number}", position=10 + number, title=f"Chapter {number}")
        for position in range(5):
            lesson = Lesson.objects.create(chapter=chapter, slug=f"l{position}", position=position, title="L", source="", html="")
            mark(learner, lesson, done=True)
        Course.objects.create(slug=f"other-{number}", title="Other")
    with django_assert_max_num_queries(11):
        assert client.get(path).status_code == 200


def test_lists_do_not_load_the_lessons_text(course: Course, client: Client) -> None:
    context: Any = client.get("/courses/tiny/").context
    lesson = context["parts"][0]["chapters"][0]["lessons"][0]["lesson"]
    assert lesson.get_deferred_fields() == {"source", "html", "outline", "blocks"}
