import pytest
from django.contrib.auth.models import User
from django.test import Client

from lessons.models import Lesson, LessonProgress
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db
PATH = "/courses/tiny/start/type-this/done/"


def test_it_works(lesson: Lesson, learner: User, login: Login) -> None:
    response = login(learner).post(PATH)
    assert (response.status_code, response["Location"]) == (302, "/courses/tiny/start/type-this/")
    assert LessonProgress.objects.get(user=learner, lesson=lesson).done_at


def test_a_pages_script_gets_no_content(lesson: Lesson, learner: User, login: Login) -> None:
    assert login(learner).post(PATH, headers={"Accept": "application/json"}).status_code == 204


def test_done_twice_keeps_the_first_time(lesson: Lesson, learner: User, login: Login) -> None:
    client = login(learner)
    client.post(PATH)
    first = LessonProgress.objects.get().done_at
    client.post(PATH)
    assert LessonProgress.objects.get().done_at == first


def test_it_can_be_taken_back(lesson: Lesson, learner: User, login: Login) -> None:
    client = login(learner)
    client.post(PATH)
    client.post(PATH, {"done": "0"})
    assert LessonProgress.objects.get().done_at is None


def test_it_needs_a_login(lesson: Lesson, client: Client) -> None:
    response = client.post(PATH)
    assert response["Location"].startswith("/accounts/login/")
    assert not LessonProgress.objects.exists()


def test_it_only_allows_post(lesson: Lesson, learner: User, login: Login) -> None:
    assert login(learner).get(PATH).status_code == 405


def test_it_needs_a_csrf_token(lesson: Lesson, learner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(learner)
    assert client.post(PATH).status_code == 403
