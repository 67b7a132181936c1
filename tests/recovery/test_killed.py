"""kill -9 of each process of ours, one after the other: the shell that runs does not notice."""

import json
import os
import signal

import psutil
import pytest

from tests.ops.stack import Stack
from tests.recovery.machine import Clerk
from tests.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(200)]


def _kill(site: Stack, name: str) -> None:
    old = site.pid(name)
    os.kill(old, signal.SIGKILL)
    site.until(lambda: site.pid(name) not in (0, old), f"{name} is started again", 60)


def test_a_shell_outlives_web_beat_redis_and_worker(site: Stack, clerk: Clerk) -> None:
    machine = clerk.start()
    machine.type("secret=kept")
    machine.answers("kept")
    found, shell = machine.traces(), machine.pid_of("pid")
    for name in ("web", "beat", "redis", "engine"):
        _kill(site, name)
        machine.answers("kept")
    site.until(lambda: site.health()[0] == 200, "the site is well", 60)
    # The worker that came back compares host and database at once, and again within a minute: ours stays.
    assert machine.pid_of("pid") == shell
    assert machine.row["state"] == "running"
    machine.answers("kept")
    clerk.remove(machine)
    assert found.left() == {}


def test_without_its_conmon_a_terminal_gets_a_fresh_shell_and_says_so(site: Stack, clerk: Clerk) -> None:
    machine = clerk.start()
    first, shell, holder = int((machine.directory / "init.pid").read_text()), machine.pid_of("pid"), machine.pid_of("conmon.pid")
    os.kill(holder, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(shell), "the kernel hung up its shell", 10)
    until(lambda: json.loads(machine.row["notices"]), "its owner is told", 20)
    (told,) = json.loads(machine.row["notices"])
    assert (told["kind"], told["title"]) == ("terminal", "Terminal 1 has a fresh shell")
    machine.type("secret=fresh")
    machine.answers("fresh")
    assert machine.row["state"] == "running"
    assert int((machine.directory / "init.pid").read_text()) == first
    assert psutil.pid_exists(first)
    found = machine.traces()
    clerk.remove(machine)
    assert found.left() == {}


def test_a_machine_whose_first_process_is_killed_ends_with_an_honest_reason(site: Stack, clerk: Clerk) -> None:
    machine = clerk.start()
    found = machine.traces()
    os.kill(int((machine.directory / "init.pid").read_text()), signal.SIGKILL)
    until(lambda: machine.row["state"] == "failed", "it is ended and removed", 60)
    assert machine.row["end_reason"] == "failed"
    assert machine.row["end_detail"].startswith("Its first process ended, which stops a machine. Memory was not short")
    assert found.left() == {}
