"""Where a learner is in a lesson, and which of its commands they ran: kept with them, not with the browser."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from lessons import progress
from lessons.markup.blocks import BLOCKS, Console, File, Script
from lessons.models import Course, Lesson, LessonProgress
from tests.lessons.conftest import Login

pytestmark = pytest.mark.django_db
PATH = "/courses/tiny/start/type-this/"


def report(client: Client, **body: Any) -> Any:
    return client.post(f"{PATH}progress/", body, content_type="application/json")


def test_it_works(lesson: Lesson, learner: User, login: Login) -> None:
    lesson.outline = [{"id": "section-two", "title": "The second part", "level": 2}]
    lesson.save()
    heading = "section-two"
    assert report(login(learner), heading=heading, ran=[0]).json() == {"heading": heading, "ran": [0]}
    # Another browser.
    page = login(learner).get(PATH)
    assert page.context["place"] == {"heading": heading, "ran": [0]}
    home = login(learner).get("/").content.decode()
    assert re.search(rf"1 of {len(progress.runnable(lesson))} commands? run", home)
    assert "The second part" in home


def test_what_the_lesson_has_not_is_left_out(lesson: Lesson, learner: User, login: Login) -> None:
    client = login(learner)
    assert report(client, heading="section-none", ran=[-1, 99]).json() == {"heading": "", "ran": []}
    assert report(client, ran=["0"]).status_code == 400
    assert report(client, heading=1).status_code == 400
    assert report(Client(), ran=[0]).status_code == 403


def test_a_command_that_was_run_stays_so_when_another_comes_before_it(lesson: Lesson, learner: User) -> None:
    progress.note(learner, lesson, None, [0])
    blocks = lesson.blocks
    lesson.blocks = [{"kind": "sh", "line": 1, "text": "true"}, *blocks]
    lesson.save()
    assert progress.places_ran(LessonProgress.objects.get()) == [1]


def test_places_are_those_of_the_page_s_buttons(course: Course) -> None:
    """The page counts its buttons, the server its blocks: both must mean the same command."""
    for lesson in Lesson.objects.all():
        texts: list[str] = []
        for block in BLOCKS.validate_python(lesson.blocks):
            if isinstance(block, Console) and block.run:
                texts += [command.text for command in block.commands]
            elif isinstance(block, Script) and block.run:
                texts.append(block.text)
            elif isinstance(block, File):
                texts.append(block.path)
        assert [unescape(text) for text in _buttons(lesson.html)] == texts
        assert len(progress.runnable(lesson)) == len(texts)


def _buttons(html: str) -> list[str]:
    found = []
    last = ""
    for match in re.finditer(r'data-command="([^"]*)"|data-path="([^"]*)"|<button[^>]*class="(?:run|write-file)"', html):
        if match[1] is not None or match[2] is not None:
            last = match[1] if match[1] is not None else match[2]
        else:
            found.append(last)
    return found
