"""One terminal's connection to its conmon, shared by everyone who watches it through this process.

Output is read from conmon's log (engine/gateway/logfile.py); the attach socket carries keystrokes in, tells when there is something new,
and holds the terminal back: conmon waits while nobody reads the socket, and then the kernel makes the program in the sandbox wait.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from engine.gateway.segments import Segments
from engine.runtime import conmon

PACKET = 4096  # bytes of input per packet: under conmon's buffer, and one PTY line
DRAIN = 64  # packets taken per wake-up, so that one flooding terminal does not keep the loop from the others


class Gone(Exception):
    """The terminal's conmon does not answer: its shell has exited, or the sandbox has ended."""


class TerminalFeed:
    """The attach socket of one terminal. `subscribe` with a callback that is called on new output and at the end."""

    def __init__(self, directory: Path, segments: Segments) -> None:
        self.directory = directory
        self.segments = segments
        self.log = directory / conmon.LOG_NAME
        self.ended = False
        self.last_size: tuple[int, int] | None = None
        self._socket: socket.socket | None = None
        self._watchers: set[Callable[[], None]] = set()
        self._held_by: set[Callable[[], None]] = set()
        self._reading = False
        self._sending = asyncio.Lock()

    def connect(self) -> None:
        """Attach to conmon. Raises Gone."""
        try:
            self._socket = conmon.connect(self.directory, socket.SOCK_NONBLOCK)
        except OSError as error:
            self.ended = True
            raise Gone from error
        self._read(True)

    def _read(self, wanted: bool) -> None:
        if self._socket is not None and wanted != self._reading:
            loop = asyncio.get_running_loop()
            if wanted:
                loop.add_reader(self._socket.fileno(), self._drain)
            else:
                loop.remove_reader(self._socket.fileno())
            self._reading = wanted

    def _drain(self) -> None:
        assert self._socket is not None  # noqa: S101  # the reader is removed before the socket is
        try:
            for _ in range(DRAIN):
                if not self._socket.recv(65536):
                    self._end()
                    break
        except BlockingIOError:
            pass
        except OSError:
            self._end()
        for watcher in list(self._watchers):
            watcher()

    def _end(self) -> None:
        self.ended = True
        self.disconnect()

    def disconnect(self) -> None:
        if self._socket is not None:
            self._read(False)
            self._socket.close()
            self._socket = None

    def subscribe(self, watcher: Callable[[], None]) -> None:
        self._watchers.add(watcher)
        self._balance()

    def unsubscribe(self, watcher: Callable[[], None]) -> None:
        self._watchers.discard(watcher)
        self._held_by.discard(watcher)
        self._balance()

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def hold(self, watcher: Callable[[], None], held: bool) -> None:
        """A watcher says whether it is behind. The terminal waits only while all are: a slow one reads on from the log by itself."""
        (self._held_by.add if held else self._held_by.discard)(watcher)
        self._balance()

    def _balance(self) -> None:
        self._read(not self._watchers or len(self._held_by) < len(self._watchers))

    async def type(self, data: bytes) -> None:
        """Send keystrokes, waiting while the terminal takes none. Raises Gone."""
        loop = asyncio.get_running_loop()
        async with self._sending:
            for start in range(0, len(data), PACKET):
                while True:
                    if self._socket is None:
                        raise Gone
                    try:
                        self._socket.send(data[start : start + PACKET])
                        break
                    except BlockingIOError:
                        await _writable(loop, self._socket)
                    except OSError as error:
                        raise Gone from error

    def resize(self, columns: int, rows: int) -> None:
        """Set the PTY's window size, through conmon's FIFO. The last to resize decides for all."""
        self.last_size = (columns, rows)
        with contextlib.suppress(OSError):  # ENXIO: conmon has gone, and the end is on its way to everyone
            descriptor = os.open(self.directory / "winsz", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(descriptor, f"{rows} {columns}\n".encode())
            finally:
                os.close(descriptor)


async def _writable(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def done() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(connection.fileno(), done)
    try:
        # The connection may be closed meanwhile: then the caller looks again. Not wait_for: in Python 3.11 it loses a cancellation that
        # comes together with `ready`, and the viewer would never end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await ready
    finally:
        if connection.fileno() >= 0:
            loop.remove_writer(connection.fileno())
