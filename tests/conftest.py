"""What every test shares: a private Redis, a database in a file, and this host's real sandbox maker.

`make test` names a state directory of the tests' own; its images are built, everything else in it belongs to the tests.
"""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.db.backends.base.operations import BaseDatabaseOperations

from engine import audit_triggers
from engine.host import gateway_group
from engine.runtime import instance, sandbox
from engine.runtime.host import Host
from engine.runtime.spec import GIB, MIB, SandboxSpec, checked_spec
from tests.traces import Traces
from tests.waiting import until

SMALL = {"memory": 256 * MIB, "pids": 128, "cpus": 1, "disk": 1 * GIB}
DOCKER = {"memory": 512 * MIB, "pids": 256, "cpus": 2, "disk": 2 * GIB}

Make = Callable[..., SandboxSpec]
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kernel: needs root and the real kernel")
    config.addinivalue_line("markers", "stack: needs the running site")
    if "PLAYGROUND_STATE" not in os.environ:
        # The default is where a real installation lives, and the tests end every sandbox of theirs.
        pytest.exit("Set PLAYGROUND_STATE to a directory of the tests' own, or run `make test`.", returncode=2)
    directory = Path(tempfile.mkdtemp(prefix="playground-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(directory))
    _use_private_redis(config, directory)


def _use_private_redis(config: pytest.Config, directory: Path) -> None:
    """Start a Redis that listens on a socket only, and point cache, channels and Celery at it before anything has connected."""
    socket = directory / "redis.sock"
    argv = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end() -> None:
        server.terminate()
        server.wait()

    config.add_cleanup(end)
    url = f"unix://{socket}"
    settings.REDIS_URL = url
    channels: dict[str, Any] = settings.CHANNEL_LAYERS["default"]
    channels["CONFIG"]["hosts"][0]["address"] = url
    settings.CACHES["default"]["LOCATION"] = url
    settings.CELERY_BROKER_URL = url.replace("unix://", "redis+socket://")
    until(lambda: socket.exists() or server.poll() is not None, "redis-server listens")
    assert server.poll() is None, "redis-server did not start"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A database in a file, as in production: threads that write at the same time then meet the same locks."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("db") / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _flush_past_the_audit_log() -> Iterator[None]:
    """Between tests that commit, Django empties every table, and the audit log's triggers refuse that: they step aside for it alone."""
    original = BaseDatabaseOperations.execute_sql_flush

    def flush(operations: BaseDatabaseOperations, statements: list[str]) -> None:
        connection: Any = operations.connection
        audit_triggers.drop(connection)
        original(operations, statements)
        audit_triggers.create(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush)
        yield


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """This host with bridge, firewall and cgroup parents up; at the end nothing of it is left."""
    made = instance.bring_up(settings.STATE, settings.RUNTIME, gateway_group())
    assert sandbox.destroy_all(made) == []  # what a killed test run left
    yield made
    problems = sandbox.destroy_all(made)
    instance.take_down(made)
    shutil.rmtree(made.slots)
    assert problems == []


@pytest.fixture
def make(host: Host) -> Iterator[Make]:
    """Make a small sandbox; the keywords are the spec's, and those of its limits. All are destroyed after the test."""
    made: list[str] = []

    def one(image: str = "linux", **wishes: Any) -> SandboxSpec:
        defaults = DOCKER if image == "docker" else SMALL
        limits = {name: wishes.pop(name, value) for name, value in defaults.items()}
        spec = checked_spec(
            id=wishes.pop("id", uuid4().hex), image=image, profile="docker" if image == "docker" else "basic", limits=limits, **wishes
        )
        made.append(spec.id)
        sandbox.create(host, spec)
        return spec

    yield one
    for sandbox_id in made:
        sandbox.destroy(host, sandbox_id)


@pytest.fixture
def run(host: Host) -> Run:
    """Run a command in a sandbox to its end."""

    def one(sandbox_id: str, *argv: str, stdin: bytes = b"", timeout: float = 60.0) -> "subprocess.CompletedProcess[bytes]":
        return sandbox.run(host, sandbox_id, argv, stdin=stdin, timeout=timeout)

    return one


@pytest.fixture
def traces(host: Host) -> Iterator[Callable[[str], Traces]]:
    """Note all that the host has of a living sandbox; after the test none of it may be left."""
    noted: list[Traces] = []

    def note(sandbox_id: str) -> Traces:
        found = Traces(host, sandbox_id)
        noted.append(found)
        return found

    yield note
    for found in noted:
        sandbox.destroy(host, found.sandbox_id)
        assert found.left() == {}


@pytest.fixture
def queued() -> Generator[Callable[[], list[tuple[str, list[str]]]]]:
    """The tasks waiting for this node's worker, oldest first of each of its queues, as (name, arguments).

    No worker runs: they stay until taken here.
    """
    with contextlib.closing(redis.Redis.from_url(settings.REDIS_URL)) as client:
        queues = (settings.CELERY_TASK_DEFAULT_QUEUE, settings.TENDING_QUEUE)
        client.delete(*queues)

        def take() -> list[tuple[str, list[str]]]:
            messages = []
            for queue in queues:
                while raw := client.rpop(queue):
                    message = json.loads(cast("bytes", raw))  # redis-py types its answers for asyncio as well
                    messages.append((message["headers"]["task"].removeprefix("engine.tasks."), _arguments(message)))
            return messages

        yield take
        client.delete(*queues)


def _arguments(message: dict[str, Any]) -> list[str]:
    body = json.loads(base64.b64decode(message["body"]))
    return list(body[0])
