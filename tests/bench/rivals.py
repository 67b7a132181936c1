"""The servers ours is measured against: ttyd (C, libwebsockets) where it is installed, and terminado, of which Jupyter's are made.

`python -m tests.bench.rivals PORT COMMAND...` serves COMMAND with terminado at /terminal.
"""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.ops.stack import free_port


@contextmanager
def ttyd(command: list[str]) -> Iterator[int | None]:
    """The port at which ttyd serves `command`, a new one for each visitor; None where it is not installed."""
    program = shutil.which("ttyd")
    if program is None:
        yield None
        return
    port = free_port()
    with _served([program, "--port", str(port), "--interface", "127.0.0.1", "--writable", *command], port):
        yield port


@contextmanager
def terminado(command: list[str]) -> Iterator[int]:
    """The same with terminado."""
    port = free_port()
    with _served([sys.executable, "-m", "tests.bench.rivals", str(port), *command], port):
        yield port


@contextmanager
def _served(command: list[str], port: int) -> Iterator[None]:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, f"{command[0]} ended"
                assert time.monotonic() < end, f"{command[0]} does not listen"
                time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait(10)


async def _terminado(port: int, command: list[str]) -> None:
    from terminado.management import UniqueTermManager
    from terminado.websocket import TermSocket
    from tornado.web import Application

    manager = UniqueTermManager(shell_command=command)
    Application([("/terminal", TermSocket, {"term_manager": manager})]).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_terminado(int(sys.argv[1]), sys.argv[2:]))
