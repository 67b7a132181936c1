"""A tiny course, learners, and a node that would run their machines. No machine is made here."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_vite.core.asset_loader import DjangoViteAssetLoader

from engine.models import Node, Sandbox
from engine.runtime.spec import GIB, MIB
from lessons.folder import read_course
from lessons.markup.document import Document, read_document
from lessons.markup.surroundings import Picture, ReferenceProblem
from lessons.models import Course, Lesson
from lessons.publishing import publish

TINY = Path(__file__).parent / "fixtures" / "tiny"
Render = Callable[[str], Document]
Login = Callable[[User], Client]


class Alone:
    """A lesson with one picture and one other page around it."""

    def picture(self, source: str) -> Picture:
        if source != "images/box.svg":
            raise ReferenceProblem(f"no picture {source!r}", "Add it.")
        return Picture("/media/box.svg", 40, 20)

    def page(self, target: str) -> str:
        if target != "02-next.md":
            raise ReferenceProblem(f"no lesson {target!r}", "Link to a file.")
        return "/next/"


@pytest.fixture
def render() -> Render:
    """Read a lesson's text."""
    return lambda text: read_document(text, "lesson.md", Alone())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny course, to change."""
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


@pytest.fixture
def course(db: None) -> Course:
    return publish(read_course(TINY)).course


@pytest.fixture
def lesson(course: Course) -> Lesson:
    """The one with a machine."""
    return Lesson.objects.select_related("chapter__course").get(slug="type-this")


@pytest.fixture
def learner(db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def other(db: None) -> User:
    return User.objects.create_user("grace")


@pytest.fixture
def login() -> Login:
    def one(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return one


@pytest.fixture
def node(db: None, settings: Any) -> Node:
    limits = {"memory": 512 * MIB, "cpus": 1.0, "pids": 256, "disk": 2 * GIB}
    image = {"title": "Linux", "profile": "basic", "digest": "0" * 64, "limits": limits}
    return Node.objects.create(name=settings.NODE, max_sandboxes=8, images={"linux": image})


@pytest.fixture
def finish() -> Callable[..., None]:
    """Let a sandbox reach a state, as the engine's worker would."""

    def one(sandbox: Sandbox, **columns: Any) -> None:
        Sandbox.objects.filter(pk=sandbox.pk).update(**columns)

    return one


@pytest.fixture(autouse=True)
def _without_a_built_frontend(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages name their scripts without Vite's manifest, which only a build makes."""
    settings.DJANGO_VITE = {"default": {"dev_mode": True}}
    monkeypatch.setattr(DjangoViteAssetLoader, "_instance", None)
