"""What the worker measures of real sandboxes, and leaves for the pages."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache

from engine import tasks, usage
from engine.models import Node, Sandbox
from engine.runtime.host import Host
from engine.runtime.spec import MIB
from tests.conftest import Make, Run

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]
Row = Callable[..., Sandbox]


def test_it_works(host: Host, node: Node, row: Row, make: Make, run: Run) -> None:
    """A sandbox that writes and computes is seen doing so; one whose row alone is there has no figures."""
    spec = make()
    row(id=UUID(spec.id), state="running")
    ghost = row(state="running")
    usage.note(node, host)
    first = usage.of_nodes([node.name])[node.name]
    assert ghost.id.hex not in first.sandboxes
    before = first.sandboxes[spec.id]
    assert before.cores is None
    assert 0 < before.memory < 256 * MIB
    assert before.pids >= 1
    run(spec.id, "sh", "-c", "head -c 50000000 /dev/urandom > /root/data && sync")
    usage.note(node, host)
    second = usage.of_nodes([node.name])[node.name]
    after = second.sandboxes[spec.id]
    assert after.cores is not None
    spent = (after.cpu_seconds - before.cpu_seconds) / (second.monotonic - first.monotonic)
    assert after.cores == pytest.approx(spent, rel=0.01)
    assert after.cores > 0
    assert after.disk - before.disk > 40_000_000
    assert 0 < second.memory_used < second.memory_total
    assert 0 < second.disk_free < second.disk_total


def test_tending_a_node_leaves_its_figures(host: Host, node: Node, monkeypatch: pytest.MonkeyPatch, queued: Any) -> None:
    monkeypatch.setattr(tasks, "this_host", lambda: host)
    cache.clear()
    tasks.tend()
    assert usage.of_nodes([node.name]).keys() == {node.name}
