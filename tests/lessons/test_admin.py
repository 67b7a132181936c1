import pytest
from django.contrib.auth.models import User
from django.test import Client

from engine.models import Node, Sandbox
from lessons import labs
from lessons.models import Course, LabSession, Lesson

pytestmark = pytest.mark.django_db


def test_it_works(lesson: Lesson, learner: User, node: Node, admin_client: Client) -> None:
    session, _ = labs.start(learner, lesson)
    for name, key in (("course", lesson.chapter.course_id), ("lesson", lesson.pk), ("labsession", session.pk)):
        assert admin_client.get(f"/admin/lessons/{name}/").status_code == 200
        assert admin_client.get(f"/admin/lessons/{name}/{key}/change/").status_code == 200


def test_a_lab_leads_to_its_machine(lesson: Lesson, learner: User, node: Node, admin_client: Client) -> None:
    labs.start(learner, lesson)
    page = admin_client.get("/admin/lessons/labsession/").content.decode()
    assert f'href="/admin/engine/sandbox/{Sandbox.objects.get().pk}/change/"' in page


def test_a_lesson_is_read_only(lesson: Lesson, admin_client: Client) -> None:
    response = admin_client.post(f"/admin/lessons/lesson/{lesson.pk}/change/", {"title": "Changed"})
    assert response.status_code == 403
    assert not LabSession.objects.exists()


def test_a_course_can_be_hidden_and_nothing_else_changed(course: Course, admin_client: Client) -> None:
    admin_client.post(f"/admin/lessons/course/{course.pk}/change/", {"title": "Changed"})
    course.refresh_from_db()
    assert (course.published, course.title) == (False, "A tiny course")
