"""A sandbox leaves nothing on its host: neither when it is destroyed, nor when it could not be made."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from engine.runtime import cgroups, conmon, disk, mounts, network, runc, sandbox
from engine.runtime.errors import NoSuchSandbox, StepFailed
from engine.runtime.host import Host
from engine.runtime.namespaces import Namespaces
from tests.conftest import Make, Run
from tests.traces import Traces
from tests.waiting import until

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("image", ["linux", "docker"])
def test_a_sandbox_is_made_looked_at_and_gone(host: Host, make: Make, traces: Callable[[str], Traces], image: str) -> None:
    spec = make(image, terminals=2)
    found = traces(spec.id)
    inspection = sandbox.inspect(host, spec.id)
    assert (inspection.status, inspection.slot) == ("running", found.slot)
    assert 0 < (inspection.memory or 0) < spec.limits.memory
    assert sandbox.alive(host, spec.id)
    assert spec.id in sandbox.present(host)
    sandbox.destroy(host, spec.id)
    assert found.left() == {}
    assert not sandbox.alive(host, spec.id)
    assert spec.id not in sandbox.present(host)
    with pytest.raises(NoSuchSandbox):
        sandbox.inspect(host, spec.id)


def test_destroying_twice_is_no_error(host: Host, make: Make) -> None:
    spec = make()
    sandbox.destroy(host, spec.id)
    sandbox.destroy(host, spec.id)


def test_a_busy_sandbox_goes_too(host: Host, make: Make, run: Run, traces: Callable[[str], Traces]) -> None:
    spec = make(terminals=1)
    stubborn = "trap : TERM INT HUP; while :; do sleep 1000; done"
    run(spec.id, "sh", "-c", f"for n in 1 2 3; do setsid -f sh -c '{stubborn}' >/dev/null 2>&1; done; mkdir -p /a/b")
    found = traces(spec.id)
    assert len(found.processes()) >= 6
    sandbox.destroy(host, spec.id)
    assert found.left() == {}


def test_frozen_processes_go_too(host: Host, make: Make, run: Run, traces: Callable[[str], Traces]) -> None:
    """`docker pause` freezes; on version 1 a frozen process does not die of SIGKILL, nor does PID 1 before it."""
    spec = make(image="docker")
    freezer = "g=/sys/fs/cgroup/freezer f=freezer.state v=FROZEN; [ -d $g ] || { g=/sys/fs/cgroup f=cgroup.freeze v=1; }"
    freeze = "mkdir $g/cold; sleep 1000 >/dev/null 2>&1 & sleep 0.2; echo $! > $g/cold/cgroup.procs; echo $v > $g/cold/$f; cat $g/cold/$f"
    said = run(spec.id, "sh", "-c", f"{freezer}; {freeze}")
    assert said.stdout.split()[-1] in (b"FROZEN", b"FREEZING", b"1"), said.stdout
    found = traces(spec.id)
    begun = time.monotonic()
    sandbox.destroy(host, spec.id)
    assert found.left() == {}
    assert time.monotonic() - begun < 3


def test_killing_its_first_process_ends_it_and_destroy_cleans_up(host: Host, make: Make, traces: Callable[[str], Traces]) -> None:
    spec = make(terminals=1)
    found = traces(spec.id)
    pid = sandbox.inspect(host, spec.id).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not sandbox.alive(host, spec.id), "the sandbox is dead")
    assert sandbox.inspect(host, spec.id).status == "dead"
    until(lambda: not found.loops(), "the kernel gives back mounts and loop device by itself")
    sandbox.destroy(host, spec.id)
    assert found.left() == {}


# Where a start can break: (module, function). Every one is a real step; the test lets it work, or not, and then raises.
STEPS: list[tuple[Any, str]] = [
    (disk, "make_disk"),
    (mounts, "mount_idmapped"),
    (mounts, "mount_disk"),
    (mounts, "mount_overlay"),
    (network, "attach"),
    (runc, "start"),
    (cgroups, "delegate"),
    (Namespaces, "limit"),
    (conmon, "open_terminal"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "name"), STEPS, ids=[f"{module.__name__.rpartition('.')[2]}.{name}" for module, name in STEPS])
def test_a_start_that_fails_leaves_nothing(
    host: Host, make: Make, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, when: str
) -> None:
    real, sandbox_id, slots, calls = getattr(module, name), uuid4().hex, set(host.slots.iterdir()), []

    def failing(*arguments: Any, **keywords: Any) -> None:
        calls.append(name)
        if when == "after":
            real(*arguments, **keywords)
        raise StepFailed("test", f"{name} broke")

    before = _all_of(host)
    monkeypatch.setattr(module, name, failing)
    with pytest.raises(StepFailed, match=f"{name} broke"):
        make(id=sandbox_id, terminals=1)
    assert calls == [name]
    assert set(host.slots.iterdir()) == slots
    assert sandbox.present(host) == before["sandboxes"]
    assert _all_of(host) == before


def _all_of(host: Host) -> dict[str, set[str]]:
    """All that this instance has on the host, of whichever sandbox: a failed start has no numbers of its own to look for."""
    parents = [hierarchy / host.cgroup for hierarchy in cgroups.hierarchies()]
    loops = {entry.strip() for entry in sandbox._loop_backings()}
    return {
        "sandboxes": {entry.name for entry in host.sandboxes.iterdir()},
        "containers": {entry.name for entry in host.runc_root.iterdir()},
        "cgroups": {str(entry) for parent in parents for entry in parent.iterdir() if entry.is_dir()},
        "processes": {str(pid) for pid in cgroups.processes(host.cgroup)},
        "ports": set(network.ports(host)),
        "loops": {entry for entry in loops if entry.startswith(str(host.state))},
    }
