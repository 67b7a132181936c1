"""Being the client of a streamed command: this process's stdin, stdout and stderr at its attach socket.

Source: conmon(8): packets from the socket begin with 1 (stdin), 2 (stdout) or 3 (stderr).
"""

import os
import selectors
import socket
import time
from pathlib import Path

from engine.runtime import conmon

PACKET = 4096
STDOUT, STDERR = 2, 3
STATUS_TIMEOUT = 10.0  # s: conmon writes the status just after it closes the socket


def stream(directory: Path, sandbox_id: str, stdin: int = 0, stdout: int = 1, stderr: int = 2) -> int:
    """Attach, set the command off, copy until it ends; returns its exit status, or 125 when conmon was killed.

    Raises StepFailed when the command does not start (no such file, the sandbox is ending).
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    with connection, selectors.DefaultSelector() as selector:
        descriptor = os.open(directory, os.O_PATH | os.O_CLOEXEC)
        connection.connect(f"/proc/self/fd/{descriptor}/attach")
        os.close(descriptor)
        outcome = os.open(directory / "sync", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        (directory / "start").write_bytes(b"1")
        try:
            conmon.check_started(conmon.read_message(outcome))
        finally:
            os.close(outcome)
        selector.register(connection, selectors.EVENT_READ)
        try:
            selector.register(stdin, selectors.EVENT_READ)
        except PermissionError:  # a regular file or /dev/null: always readable, and epoll(7) refuses it
            _send_file(connection, stdin)
        while True:
            for key, _ in selector.select():
                if key.fileobj is connection:
                    packet = connection.recv(65536)
                    if not packet:
                        return _status(directory, sandbox_id)
                    _write(stderr if packet[0] == STDERR else stdout, packet[1:])
                else:
                    data = os.read(stdin, PACKET)
                    if data:
                        connection.send(data)
                    else:
                        selector.unregister(stdin)
                        connection.shutdown(socket.SHUT_WR)


def _send_file(connection: socket.socket, stdin: int) -> None:
    while data := os.read(stdin, PACKET):
        connection.send(data)
    connection.shutdown(socket.SHUT_WR)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _status(directory: Path, sandbox_id: str) -> int:
    end = time.monotonic() + STATUS_TIMEOUT
    while time.monotonic() < end:
        status = conmon.exit_status(directory, sandbox_id)
        if status is not None:
            return status
        time.sleep(0.005)
    return 125
