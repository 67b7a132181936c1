"""Child processes of the supervisor: ended whole, and found again after it was killed."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from deploy import children
from tests.waiting import soon

# A leader with a child in its group; both ignore SIGTERM where told to.
LEADER = """
import os, signal, sys, time
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(300)
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    for name in ("log", "run"):
        (tmp_path / name).mkdir()
    return tmp_path


async def leader(state: Path, *words: str) -> tuple[children.Child, int]:
    """A started leader and the pid of the child in its group."""
    child = await children.start("leader", (sys.executable, "-c", LEADER, *words), state, state, os.environ)
    log = state / "log" / "leader.log"
    await soon(lambda: log.read_text().endswith("\n"), "the leader has a child")
    return child, int(log.read_text())


async def until_gone(pid: int) -> None:
    await soon(lambda: children.birth(pid) is None, f"process {pid} is gone")


async def test_it_works(state: Path) -> None:
    child, grandchild = await leader(state)
    assert (state / "run" / "leader.pid").read_text().split()[0] == str(child.process.pid)
    await child.stop()
    assert child.process.returncode == -signal.SIGTERM
    await until_gone(grandchild)
    assert list((state / "run").iterdir()) == []


async def test_what_a_crashed_leader_leaves_is_ended(state: Path) -> None:
    child, grandchild = await leader(state)
    child.process.kill()
    assert await child.ended() == -signal.SIGKILL
    await until_gone(grandchild)


async def test_a_stubborn_one_is_killed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "PATIENCE", 0.2)
    child, grandchild = await leader(state, "stubborn")
    await child.stop()
    assert child.process.returncode == -signal.SIGKILL
    await until_gone(grandchild)


async def test_force_does_not_wait(state: Path) -> None:
    child, _ = await leader(state, "stubborn")
    begun = time.monotonic()
    await child.stop(force=True)
    assert time.monotonic() - begun < children.PATIENCE / 2


async def test_it_reaps_what_a_killed_supervisor_left(state: Path) -> None:
    child, grandchild = await leader(state)
    assert "leader" in await children.reap_stale(state)
    await child.process.wait()
    await until_gone(grandchild)
    assert list((state / "run").iterdir()) == []


async def test_it_spares_a_process_that_got_an_old_pid(state: Path) -> None:
    child, _ = await leader(state)
    (state / "run" / "leader.pid").write_text(f"{child.process.pid} 1@another-boot\n")
    assert await children.reap_stale(state) == []
    assert child.process.returncode is None
    await child.stop()


async def test_a_full_log_is_put_aside(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "LARGEST_LOG", 3)
    (state / "log" / "leader.log").write_text("long enough")
    child, _ = await leader(state)
    await child.stop()
    assert (state / "log" / "leader.log.1").read_text() == "long enough"


async def test_a_log_that_became_a_link_is_not_followed(state: Path) -> None:
    (state / "log" / "leader.log").symlink_to(state / "shadow")
    with pytest.raises(OSError, match="symbolic links"):
        await children.start("leader", ("true",), state, state, os.environ)
    assert not (state / "shadow").exists()
