"""A node is taken out of service: nothing new, nobody ended, and back again."""

import pytest

from tests.ops.stack import Stack
from tests.recovery.machine import Clerk, manage
from tests.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(200)]


def test_it_works(site: Stack, clerk: Clerk) -> None:
    running = clerk.start()
    running.type("secret=kept")
    assert "in service" in site.manage("node", "list")
    draining = manage(site, "node", "drain", "recovery", "--wait", "--timeout", "90")
    until(lambda: "draining" in site.manage("node", "list"), "it drains", 30)
    assert clerk.refused().startswith("This site is being maintained")
    running.answers("kept")
    assert draining.poll() is None
    clerk.remove(running)
    said, _ = draining.communicate(timeout=60)
    assert draining.returncode == 0, said
    assert "is empty" in said
    assert "takes new sandboxes" in site.manage("node", "resume", "recovery")
    clerk.remove(clerk.start())


def test_an_unknown_node_is_named_with_those_there_are(site: Stack) -> None:
    asking = manage(site, "node", "drain", "nowhere")
    said, _ = asking.communicate(timeout=30)
    assert asking.returncode == 1
    assert "Nodes: recovery." in said
