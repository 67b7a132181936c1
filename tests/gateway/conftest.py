"""A terminal of Ada's, and browsers at it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User

from engine.models import Node, Sandbox, Terminal
from tests.conftest import Make
from tests.gateway.browser import Browser

Open = Callable[..., Browser]


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ada", first_name="Ada")


@pytest.fixture
def terminal(make: Make, owner: User) -> Terminal:
    """A running sandbox of Ada's with one terminal."""
    spec = make(terminals=1)
    node = Node.objects.create(name="here")
    limits = spec.limits.model_dump()
    row = Sandbox.objects.create(
        id=UUID(spec.id), node=node, owner=owner, image=spec.image, profile=spec.profile, state="running", **limits
    )
    return Terminal.objects.create(sandbox=row, number=1)


@pytest.fixture
def opens(terminal: Terminal, owner: User) -> Open:
    """A browser of Ada's at the terminal."""

    def one(offset: int | None = None, **options: Any) -> Browser:
        return Browser(terminal.id, owner, offset, **options)

    return one
