"""A request's language stays on in the thread that answered it."""

from collections.abc import Iterator

import pytest
from django.utils import translation


@pytest.fixture(autouse=True)
def _only_here() -> Iterator[None]:
    yield
    translation.deactivate()
