"""Fifty sandboxes come and go, and nothing grows. `python -m tests.cycles` does a thousand."""

import pytest

from engine.runtime.host import Host
from tests.cycles import run

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]


def test_nothing_grows(host: Host) -> None:
    assert run(host, 50, say=False) == {}
