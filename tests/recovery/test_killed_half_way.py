"""The worker is killed in each step of making and of removing a sandbox. The next one takes the work up.

No hook in the product: what is on the host says which step is being done. The worker's whole group is stopped when the step shows, so
that what is seen is what is so; if the step is over by then, it may go on, and another sandbox is tried.
"""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import psutil
import pytest

from tests.ops.stack import Stack
from tests.recovery.machine import Clerk, Machine
from tests.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(200)]
TRIES = 60  # a step lasts milliseconds


def _stopped_while(site: Stack, holds: Callable[[], bool], over: Callable[[], bool]) -> bool:
    """Stop the worker's processes when `holds` does; False, and they go on, when it does not hold any more or `over` came first."""
    group, end = site.pid("engine"), time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "the step never came"
        if over():
            return False
    os.killpg(group, signal.SIGSTOP)
    if holds():
        return True
    os.killpg(group, signal.SIGCONT)
    return False


def _kill_worker(site: Stack) -> None:
    old = site.pid("engine")
    os.kill(old, signal.SIGKILL)
    site.until(lambda: site.pid("engine") not in (0, old), "the worker is started again", 60)


def _is_at(machine: Machine, step: str) -> bool:
    return machine.directory.exists() and machine.step == step


def _is(machine: Machine, state: str) -> bool:
    return bool(machine.row["state"] == state)


@pytest.mark.parametrize("step", ["reserve", "disk", "boot", "terminal"])
def test_in_each_step_of_making_one(site: Stack, clerk: Clerk, step: str) -> None:
    for _ in range(TRIES):
        machine = clerk.ask()
        if _stopped_while(site, partial(_is_at, machine, step), partial(_is, machine, "running")):
            break
        clerk.remove(machine)
    else:
        pytest.fail(f"the worker was never caught in step {step}")
    _kill_worker(site)
    until(lambda: machine.row["state"] == "running", "it is made after all", 60)
    machine.type("secret=fresh")
    machine.answers("fresh")
    found = machine.traces()
    clerk.remove(machine)
    assert found.left() == {}


def _being_removed(machine: Machine) -> bool:
    return bool(machine.row["claim"].startswith("destroy")) and psutil.pid_exists(machine.pid_of("pid")) and machine.directory.exists()


def _half_removed(machine: Machine) -> bool:
    return not machine.container.exists() and machine.directory.exists()


def _at(holds: Callable[[Machine], bool], machine: Machine) -> bool:
    try:
        return holds(machine)
    except FileNotFoundError:  # removed further than that
        return False


REMOVING = pytest.mark.parametrize(
    "holds", [_being_removed, _half_removed], ids=["before its processes end", "when its container is forgotten"]
)


@REMOVING
def test_while_saving_one(site: Stack, clerk: Clerk, holds: Callable[[Machine], bool]) -> None:
    for _ in range(TRIES):
        machine = clerk.start()
        machine.type("echo kept > /root/file; secret=written")
        machine.answers("written")
        clerk.save(machine)
        if _stopped_while(site, partial(_at, holds, machine), partial(_is, machine, "stopped")):
            break
    else:
        pytest.fail("the worker was never caught saving")
    _kill_worker(site)
    until(lambda: machine.row["state"] == "stopped", "it is put away after all", 60)
    again = clerk.resume(machine)
    again.type("secret=$(cat /root/file)")
    again.answers("kept")


@REMOVING
def test_while_removing_one(site: Stack, clerk: Clerk, holds: Callable[[Machine], bool]) -> None:
    for _ in range(TRIES):
        machine = clerk.start()
        found = machine.traces()
        clerk.stop(machine)
        if _stopped_while(site, partial(_at, holds, machine), partial(_is, machine, "stopped")):
            break
    else:
        pytest.fail("the worker was never caught removing")
    _kill_worker(site)
    until(lambda: machine.row["state"] == "stopped", "it is removed after all", 60)
    assert found.left() == {}
