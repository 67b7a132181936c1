"""What a sandbox sees of the machine is its own share of it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime import bundle, machine, runc, sandbox
from engine.runtime.host import SLOTS, Host, Slot
from engine.runtime.machine import FIGURES, NO_MACHINE, Machine, share
from engine.runtime.profiles import INOTIFY, PROFILES
from engine.runtime.spec import MIB, checked_spec
from tests.conftest import Make, Run
from tests.waiting import until

FOUR = Machine(processors=(0, 1, 2, 5))
both = pytest.mark.parametrize("image", ["linux", "docker"])


@pytest.mark.parametrize(("cpus", "count"), [(0.5, 1), (1, 1), (1.5, 2), (3, 3)])
def test_a_share_is_as_many_processors_as_its_limit_needs(cpus: float, count: int) -> None:
    for number in (1, 2, 3, 4000):
        chosen = share(FOUR, Slot(0, number), cpus).split(",")
        assert len(set(chosen)) == count
        assert set(chosen) <= {"0", "1", "2", "5"}


def test_neighbours_start_on_different_processors() -> None:
    assert {share(FOUR, Slot(0, number), 1) for number in range(1, 5)} == {"0", "1", "2", "5"}


def test_who_may_use_all_is_told_nothing() -> None:
    assert share(FOUR, Slot(0, 1), 4) == share(FOUR, Slot(0, 1), 64) == share(NO_MACHINE, Slot(0, 1), 1) == ""


def test_the_configuration_follows_from_what_the_machine_has() -> None:
    spec, host = checked_spec(id="ab" * 16, image="linux"), Host(state=Path("/srv/state"), instance=5)
    rich = Machine(processors=(0, 1), lxcfs=Path("/var/lib/lxcfs"))
    made = bundle.config(spec, PROFILES["basic"], host, Slot(5, 1), ("/init",), {}, rich)
    assert made["linux"]["resources"]["cpu"]["cpus"] == "1"
    figures = [entry for entry in made["mounts"] if "lxcfs" in entry["source"]]
    assert {entry["destination"] for entry in figures} == {f"/proc/{name}" for name in FIGURES}
    assert all("ro" in entry["options"] for entry in figures)
    bare = bundle.config(spec, PROFILES["basic"], host, Slot(5, 1), ("/init",), {})
    assert "cpus" not in bare["linux"]["resources"]["cpu"]


@pytest.mark.kernel
@both
def test_nproc_tells_the_limit(make: Make, run: Run, image: str) -> None:
    spec = make(image, cpus=1)
    assert run(spec.id, "nproc").stdout == b"1\n"
    assert run(spec.id, "python3", "-c", "import os; print(len(os.sched_getaffinity(0)))").stdout == b"1\n"


@pytest.mark.kernel
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor")
def test_a_raised_limit_brings_the_processors_for_it(host: Host, make: Make, run: Run) -> None:
    spec = make(cpus=1)
    runc.update(host, spec.id, memory=spec.limits.memory, cpus=2, pids=spec.limits.pids)
    assert run(spec.id, "nproc").stdout == b"2\n"
    runc.update(host, spec.id, memory=spec.limits.memory, cpus=1, pids=spec.limits.pids)
    assert run(spec.id, "nproc").stdout == b"2\n", "the quota binds; processors are not taken away"


@pytest.mark.kernel
def test_the_host_has_inotify_for_every_sandbox_at_once(host: Host) -> None:
    for name, own in INOTIFY.items():
        assert int((Path("/proc/sys/user") / name).read_text()) >= own * len(SLOTS), name


@pytest.fixture
def lxcfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["subprocess.Popen[bytes]"]:
    """An lxcfs of the test's own, where the host's would be."""
    place = tmp_path / "lxcfs"
    place.mkdir()
    monkeypatch.setattr(machine, "LXCFS", place)
    with subprocess.Popen(
        ["lxcfs", "-f", "-l", "-p", tmp_path / "pid", place], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until(lambda: (place / "proc" / "meminfo").exists(), "lxcfs is mounted")
        yield process
        process.kill()
        process.wait()
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.kernel
@both
@pytest.mark.usefixtures("lxcfs")
def test_free_uptime_and_cpuinfo_tell_the_truth(make: Make, run: Run, image: str) -> None:
    spec = make(image, cpus=1, memory=320 * MIB)
    memory = run(spec.id, "free", "--bytes").stdout.decode().splitlines()[1].split()
    assert int(memory[1]) == spec.limits.memory
    assert int(memory[2]) < 100 * MIB
    assert run(spec.id, "grep", "-c", "^processor", "/proc/cpuinfo").stdout == b"1\n"
    assert float(run(spec.id, "cat", "/proc/uptime").stdout.split()[0]) < 60
    assert b"320.0 total" in run(spec.id, "top", "-bn1").stdout
    assert run(spec.id, "sh", "-c", "wc -l < /proc/swaps").stdout == b"1\n"


@pytest.mark.kernel
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_stopped_lxcfs_does_not_hold_a_sandbox_up(
    host: Host, make: Make, run: Run, lxcfs: "subprocess.Popen[bytes]", how: signal.Signals
) -> None:
    spec = make()
    os.kill(lxcfs.pid, how)
    assert run(spec.id, "timeout", "-s", "KILL", "1", "cat", "/proc/meminfo").returncode != 0
    assert run(spec.id, "sh", "-c", "echo alive").stdout == b"alive\n"
    sandbox.destroy(host, spec.id)
    if how == signal.SIGKILL:  # the next ones are made without it
        other = make()
        assert run(other.id, "cat", "/proc/meminfo").returncode == 0
