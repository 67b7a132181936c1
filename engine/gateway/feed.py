"""One terminal's connection to its conmon, shared by everyone who watches it through this process.

Output is read from conmon's log (engine/gateway/logfile.py); the attach socket carries keystrokes in, tells when there is something new,
and holds the terminal back: conmon waits while nobody reads the socket, and then the kernel makes the program in the sandbox wait.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from engine.gateway.ledger import Account, Ledger
from engine.gateway.logfile import History
from engine.gateway.segments import Segments
from engine.runtime import conmon

PACKET = 4096  # bytes of input per packet: under conmon's buffer, and one PTY line
DRAIN = 64  # packets taken per wake-up, so that one flooding terminal does not keep the loop from the others
# Bytes taken from the socket ahead of the foremost reader of the log. A log of empty lines is 23 times its output, so conmon cannot begin a
# file, fill its 32 MiB and begin another before the first of them has been opened here.
AHEAD = 256 << 10
ASK_AGAIN = 1.0  # s

_nothing = bytearray(1)  # what the socket says is in the log as well: only its length counts, and MSG_TRUNC tells that without a copy


class Gone(Exception):
    """The terminal's conmon does not answer: its shell has exited, or the sandbox has ended."""


class Watcher(Protocol):
    """Who is told of new output and of the end."""

    def wake(self) -> None: ...


class TerminalFeed:
    """The attach socket of one terminal, its log, and the place of each client in its input."""

    def __init__(self, directory: Path, segments: Segments, ledger: Ledger, ask_for_log: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.directory = directory
        self.segments = segments
        self.ledger = ledger
        self.ended = False
        self.last_size: tuple[int, int] | None = None
        self.history: History | None = None
        self._ask_for_log = ask_for_log
        self._asking: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._socket: socket.socket | None = None
        self._watchers: set[Watcher] = set()
        self._held_by: set[Watcher] = set()
        self._head = 0
        self._ahead = 0
        self._reading = False
        self._sending = asyncio.Lock()

    @property
    def log(self) -> Path:
        return self.directory / conmon.LOG_NAME

    def connect(self) -> None:
        """Attach to conmon. Raises Gone."""
        try:
            self._socket = conmon.connect(self.directory, socket.SOCK_NONBLOCK)
        except OSError as error:
            self.ended = True
            raise Gone from error
        self._balance()

    async def open_log(self) -> History:
        """The log. Raises FileNotFoundError; PermissionError where the engine does not let us read it in time."""
        async with self._opening:
            for attempt in range(100):
                if self.history is not None:
                    break
                try:
                    self.history = self.segments.history(self.log)
                    self._head = self.history.start
                except PermissionError:
                    if attempt == 99:
                        raise
                    self._ask()
                    await asyncio.sleep(0.1)
        assert self.history is not None  # noqa: S101  # the last attempt raises
        return self.history

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
                size = self._socket.recv_into(_nothing, 1, socket.MSG_TRUNC)
                if not size:
                    self._end()
                    break
                self._ahead += size - 1
                if self._ahead > AHEAD:
                    self._balance()
                    break
        except BlockingIOError:
            pass
        except OSError:
            self._end()
        for watcher in list(self._watchers):
            watcher.wake()

    def progress(self, offset: int, read: bool) -> None:
        """A reader of the log stands at `offset`; `read`: it found something there, and there may be more."""
        if offset >= self._head:
            self._ahead = max(0, self._ahead - (offset - self._head)) if read or self._unreadable else 0
            self._head = offset
            if not self._reading:
                self._balance()
        if self._unreadable:
            self._ask()

    @property
    def _unreadable(self) -> bool:
        return self.history is not None and self.history.unreadable

    def _ask(self) -> None:
        """Ask the engine to let us read the log's next file; it does so by itself as well, every few seconds."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_once())

    async def _ask_once(self) -> None:
        await self._ask_for_log()
        await asyncio.sleep(ASK_AGAIN)

    def _end(self) -> None:
        self.ended = True
        self._disconnect()
        for watcher in self._watchers:
            watcher.wake()

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._read(False)
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        self._disconnect()
        if self._asking is not None:
            self._asking.cancel()
        if self.history is not None:
            self.history.close()

    def subscribe(self, watcher: Watcher) -> None:
        self._watchers.add(watcher)
        self._balance()

    def unsubscribe(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
        self._held_by.discard(watcher)
        self._balance()

    def hold(self, watcher: Watcher, held: bool) -> None:
        """A watcher says whether it is behind. The terminal waits only while all are: a slow one reads on from the log by itself."""
        if watcher in self._watchers and held != (watcher in self._held_by):
            (self._held_by.add if held else self._held_by.discard)(watcher)
            self._balance()

    def _balance(self) -> None:
        self._read(self._ahead <= AHEAD and (not self._watchers or len(self._held_by) < len(self._watchers)))

    @property
    def idle_input(self) -> bool:
        """Nobody waits to hand over keys: who comes now is next."""
        return not self._sending.locked()

    def type_now(self, data: bytes, account: Account) -> int:
        """Hand over what conmon takes at once; returns how many bytes that were. Raises Gone."""
        start = account.taken
        for at in range(0, len(data), PACKET):
            part = data[at : at + PACKET]
            if self._socket is None:
                raise Gone
            account.attempt(account.taken + len(part))
            try:
                self._socket.send(part)
            except BlockingIOError:
                account.settle(account.taken)
                break
            except OSError as error:
                account.settle(account.taken)
                self._end()
                raise Gone from error
            account.settle(account.taken + len(part))
        return account.taken - start

    async def type(self, data: bytes, account: Account) -> None:
        """Hand keys over, waiting while the terminal takes none. Raises Gone."""
        async with self._sending:
            while account.open and (data := data[self.type_now(data, account) :]):
                if self._socket is not None:
                    await _writable(asyncio.get_running_loop(), self._socket)

    def resize(self, columns: int, rows: int) -> None:
        """Set the PTY's window size, through conmon's FIFO."""
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
