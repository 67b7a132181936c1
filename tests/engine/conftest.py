"""A node as its worker's heartbeat writes it, and learners."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache

from engine import reconciling
from engine.lifecycle import SandboxRequest
from engine.models import Node, Sandbox, Terminal
from engine.runtime.host import Host
from engine.runtime.spec import GIB, MIB

LIMITS = {"memory": 256 * MIB, "cpus": 1.0, "pids": 128, "disk": 1 * GIB}
SMALL = SandboxRequest(image="linux", **LIMITS)  # type: ignore[arg-type]


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def bob() -> User:
    return User.objects.create_user("bob")


@pytest.fixture
def node(host: Host) -> Node:
    """This host, alive, with the images that are built here."""
    cache.clear()
    return reconciling.heartbeat(settings.NODE, host)


@pytest.fixture
def row(node: Node) -> Callable[..., Sandbox]:
    """A sandbox's row with one terminal; the keywords are its columns. Nothing of it is on the host."""

    def one(terminals: int = 1, **columns: Any) -> Sandbox:
        image = {"image": "linux", "image_digest": node.images["linux"]["digest"], "profile": "basic"}
        sandbox: Sandbox = Sandbox.objects.create(**({"node": node} | LIMITS | image | columns))
        for number in range(1, terminals + 1):
            Terminal.objects.create(sandbox=sandbox, number=number)
        return sandbox

    return one
