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
    with begin(directory) as connection, selectors.DefaultSelector() as selector:
        return _copy(connection, selector, (stdin, stdout, stderr), directory, sandbox_id)


def begin(directory: Path) -> socket.socket:
    """Attach and set the command off; returns its socket. Raises StepFailed when it does not start, OSError when its conmon has gone."""
    connection = conmon.connect(directory)
    try:
        outcome = os.open(directory / "sync", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            (directory / "start").write_bytes(b"1")
            conmon.check_started(conmon.read_message(outcome))
        finally:
            os.close(outcome)
    except BaseException:
        connection.close()
        raise
    return connection


def _copy(
    connection: socket.socket, selector: selectors.BaseSelector, streams: tuple[int, int, int], directory: Path, sandbox_id: str
) -> int:
    """Copy both ways until the command ends; returns its exit status.

    Input is sent only where the socket takes it, so that output is never left unread: conmon waits for us to read before it reads on.
    """
    stdin, stdout, stderr = streams
    connection.setblocking(False)
    selector.register(connection, selectors.EVENT_READ)
    always_readable = not _register(selector, stdin)
    if always_readable:
        selector.modify(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
    pending = b""
    while True:
        for key, events in selector.select():
            if key.fd == stdin:
                pending = os.read(stdin, PACKET)
                selector.unregister(stdin)
                selector.modify(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
                if not pending:
                    _end_input(connection, selector)
            if key.fileobj is not connection:
                continue
            if events & selectors.EVENT_READ:
                try:
                    packet = connection.recv(65536)
                except ConnectionResetError:  # told once, of input conmon left unread: the output it sent before is still to come
                    continue
                if not packet:
                    return _status(directory, sandbox_id)
                _write(stderr if packet[0] == STDERR else stdout, packet[1:])
            if events & selectors.EVENT_WRITE:
                pending = pending or os.read(stdin, PACKET)
                if not pending:
                    _end_input(connection, selector)
                    continue
                try:
                    connection.send(pending)
                except BlockingIOError:  # not yet, whatever select said
                    continue
                except (BrokenPipeError, ConnectionResetError):  # the command has ended without reading it all; its output is still to come
                    selector.modify(connection, selectors.EVENT_READ)
                    continue
                pending = b""
                if not always_readable:
                    selector.modify(connection, selectors.EVENT_READ)
                    selector.register(stdin, selectors.EVENT_READ)


def _register(selector: selectors.BaseSelector, stdin: int) -> bool:
    """Watch stdin; False for a regular file or /dev/null, which are always readable, and epoll(7) refuses them."""
    try:
        selector.register(stdin, selectors.EVENT_READ)
    except PermissionError:
        return False
    return True


def _end_input(connection: socket.socket, selector: selectors.BaseSelector) -> None:
    selector.modify(connection, selectors.EVENT_READ)
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
