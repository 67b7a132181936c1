"""The whole site under its supervisor, on a real PostgreSQL."""

import os
import pwd
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from engine.runtime import instance
from tests.ops import postgresql
from tests.ops.stack import PROGRAMS, Stack

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    # Not pytest's own directory, which every run closes to others: the site's user must reach the socket.
    directory = Path(os.environ["PLAYGROUND_STATE"]) / "tests" / "postgresql"
    shutil.rmtree(directory, ignore_errors=True)
    with postgresql.server(directory) as url:
        yield url


@pytest.fixture(scope="module")
def site(database: str) -> Iterator[Stack]:
    stack = Stack("stack", PLAYGROUND_DATABASE_URL=database)
    shutil.rmtree(stack.installation.state, ignore_errors=True)
    stack.prepare()
    stack.start()
    yield stack
    if stack.supervisor and stack.supervisor.poll() is None:
        assert stack.stop() == 0, stack.said()


def test_it_works(site: Stack, database: str) -> None:
    assert site.health() == (200, {"status": "ok", "database": "ok", "redis": "ok", "engine": "ok"})
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT name FROM engine_node").fetchall() == [("stack",)]
        names = connection.execute("SELECT username FROM auth_user WHERE NOT is_superuser ORDER BY 1").fetchall()
    assert {("student",), ("instructor",)} <= set(names)


def test_it_prints_where_and_how_to_log_in(site: Stack) -> None:
    assert f"http://127.0.0.1:{site.installation.port}/" in site.said()
    assert "student, instructor or admin" in site.said()
    assert "correct horse battery" in site.said()


def test_only_the_engine_is_root(site: Stack) -> None:
    user = pwd.getpwnam(site.installation.user).pw_uid
    expected = {"redis": user, "registry": user, "engine": 0, "beat": user, "web": user}

    def owners() -> dict[str, int]:
        return {name: psutil.Process(site.pid(name)).uids().real for name in PROGRAMS}

    # One that another test has just killed is still root's for the moment in which it drops that.
    site.until(lambda: owners() == expected, f"the processes belong to {expected}", seconds=20)


def test_redis_listens_on_no_address(site: Stack) -> None:
    assert psutil.Process(site.pid("redis")).net_connections("inet") == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_crashes_is_restarted(site: Stack, name: str) -> None:
    before = site.pid(name)
    os.kill(before, signal.SIGKILL)
    site.until(lambda: f"{name} ended with signal SIGKILL" in site.said() and f"{name} restarted" in site.said(), f"{name} restarted")
    site.until(lambda: site.health()[0] == 200, "the site was well again")
    assert site.pid(name) != before


def test_a_second_one_on_the_same_state_says_so(site: Stack) -> None:
    assert site.supervisor is not None
    second = Stack("stack")
    second.output = site.installation.state / "second"
    with pytest.raises(AssertionError, match=rf"already runs \(process {site.supervisor.pid}\)"):
        second.start()
    assert site.health()[0] == 200


def test_a_killed_supervisor_takes_all_along_and_the_next_leaves_nothing(site: Stack) -> None:
    """What is left after kill -9 is found by the next start; after an orderly stop there is nothing to find."""
    assert site.supervisor is not None
    state = site.installation.state
    old = [psutil.Process(site.pid(name)) for name in PROGRAMS]
    site.supervisor.kill()
    site.supervisor.wait()
    site.start()
    assert [process.name() for process in old if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    running = [psutil.Process(site.pid(name)) for name in PROGRAMS]
    assert site.stop() == 0, site.said()
    assert [process.name() for process in running if process.is_running()] == []
    assert list((state / "run").glob("*.pid")) == []
    assert instance.find(state) is None
    assert list((state / "sandboxes").iterdir()) == []
    assert str(state) not in Path("/proc/self/mountinfo").read_text()
    stopped = [line.split()[1] for line in site.said().splitlines() if line.endswith(" stopped")]
    assert stopped == list(reversed(PROGRAMS))
    site.start()  # for the tests that come after this one
