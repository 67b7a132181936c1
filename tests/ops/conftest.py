"""A real Redis for what asks one."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    socket = tmp_path / "redis.sock"
    # setpriv: it must not outlive a test run that is killed.
    command = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "redis-server",
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        url = f"unix://{socket}"
        end = time.monotonic() + 10
        with redis.Redis.from_url(url) as client:
            while not (socket.exists() and client.ping()):
                assert time.monotonic() < end, "redis-server did not start"
                time.sleep(0.01)
        yield url
        server.terminate()
