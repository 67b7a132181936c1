"""The web process's link to the file service of a sandbox: one process inside per sandbox, started when its files are first asked for.

It is a streamed command (engine.models.Execution, conmon's attach socket), and ends when nobody has asked for a while. Whatever it says
is the learner's word: an answer has a largest size and a latest time, and one that breaks the protocol ends the link, never more than that.
"""

import json
import queue
import select
import socket
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection as database

from engine import attach, files_inside
from engine.dispatch import node_of, send_to
from engine.files_words import FileRefused, refusal
from engine.models import Execution, Sandbox
from engine.runtime.errors import SandboxError, StepFailed

PACKET = 4096  # bytes per packet: under conmon's buffer
LENGTHS = files_inside.LENGTHS
TEXT_MAX, PAYLOAD_MAX = 2 << 20, files_inside.EDIT_MAX + 1  # bytes of an answer
START_TIME, IDLE = 15.0, 60.0  # s
WAITING_MAX = 16  # requests to one sandbox
AFTER_FAILURE = 3.0  # s: until a service that failed is started again, so that a broken one does not keep the engine busy
POLL = 0.005  # s

# A short command line, for it is seen in `ps`: the program itself comes through stdin.
ARGV = ["/usr/bin/python3", "-I", "-S", "-c", "import sys;exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))", "file-service"]
SOURCE = Path(files_inside.__file__).read_bytes()

Answer = tuple[dict[str, Any], bytes]
log = structlog.get_logger(__name__)


class Garbled(Exception):
    """What came is no answer, or it did not come in time."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Wire:
    """Messages over an attach socket. Takes whatever comes: no size, no pace and no order of the other side's is trusted."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.setblocking(False)
        self.received = bytearray()

    def exchange(self, data: bytes, seconds: float) -> Answer:
        """Send, and return the one answer. Raises Garbled."""
        if self.received:
            raise Garbled("garbled")  # nobody had asked
        end = time.monotonic() + seconds
        view = memoryview(data)
        while (answer := self._taken()) is None:
            view = self._move(view, end)
        if view:
            raise Garbled("garbled")  # answered before it was asked
        return answer

    def _move(self, view: memoryview, end: float) -> memoryview:
        """Send and receive what goes now. Reads also while it sends: conmon takes nothing while its own output waits."""
        left = end - time.monotonic()
        readable, writable, _ = select.select([self.connection], [self.connection] if view else [], [], max(0.0, left))
        if left <= 0 or not (readable or writable):
            raise Garbled("silent")
        try:
            if readable:
                packet = self.connection.recv(65536)
                if not packet:
                    raise Garbled("garbled")
                if packet[0] == 2:  # stdout; what it says on stderr is for nobody
                    self.received += packet[1:]
            if writable:
                view = view[self.connection.send(view[:PACKET]) :]
        except BlockingIOError:
            pass
        except OSError as error:
            raise Garbled("garbled") from error
        return view

    def _taken(self) -> Answer | None:
        """The answer that is there whole, or None. Raises Garbled."""
        if len(self.received) < LENGTHS.size:
            return None
        text_length, payload_length = LENGTHS.unpack_from(self.received)
        if text_length > TEXT_MAX or payload_length > PAYLOAD_MAX:
            raise Garbled("garbled")
        whole = LENGTHS.size + text_length + payload_length
        if len(self.received) < whole:
            return None
        if len(self.received) > whole:
            raise Garbled("garbled")
        try:
            text = json.loads(self.received[LENGTHS.size : LENGTHS.size + text_length])
        except (ValueError, RecursionError) as error:
            raise Garbled("garbled") from error
        if not isinstance(text, dict):
            raise Garbled("garbled")
        payload = bytes(self.received[LENGTHS.size + text_length : whole])
        self.received.clear()
        return text, payload


def message(request: dict[str, Any], payload: bytes) -> bytes:
    text = json.dumps(request).encode()
    return LENGTHS.pack(len(text), len(payload)) + text + payload


class Link(threading.Thread):
    """One sandbox's file service and the line of those who wait for it. A thread of its own: one that hangs holds up nobody else's."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(name=f"files-{sandbox.id.hex[:8]}", daemon=True)
        self.sandbox = sandbox
        self.waiting: queue.Queue[tuple[bytes, float, Future[Answer]]] = queue.Queue(WAITING_MAX)
        self.closed = False
        self.failed_at = 0.0
        self.lock = threading.Lock()

    def ask(self, request: dict[str, Any], payload: bytes, seconds: float) -> "Future[Answer] | None":
        """A place in the line; None where this link is over. Raises FileRefused when the line is full."""
        future: Future[Answer] = Future()
        with self.lock:
            if self.closed:
                return None
            try:
                self.waiting.put_nowait((message(request, payload), seconds, future))
            except queue.Full:
                raise refusal("busy") from None
        return future

    def run(self) -> None:
        problem: FileRefused | None = None
        execution = None
        try:
            execution = Execution.objects.create(sandbox=self.sandbox, argv=ARGV)
            with _attached(execution) as connection:
                database.close()  # not held as long as this thread lives
                wire = Wire(connection)
                wire.exchange(b"%d\n%b" % (len(SOURCE), SOURCE), START_TIME)
                self._serve(wire)
        except Garbled as error:
            problem = refusal(error.word)
        except (SandboxError, OSError) as error:
            log.info("files.not_started", sandbox=self.sandbox.id.hex, error=str(error))
            # The step `start` is the program's own: python3 is not there, or cannot be run.
            problem = refusal("garbled" if isinstance(error, StepFailed) and error.step == "start" else "silent")
        except FileRefused as error:
            problem = error
        except Exception:
            log.exception("files.failed", sandbox=self.sandbox.id.hex)
            problem = refusal("silent")
        finally:
            self._close(problem)
            if execution is not None:
                send_to(node_of(self.sandbox), "end_execution", execution.id.hex)
            database.close()

    def _serve(self, wire: Wire) -> None:
        """Answer one after the other until nobody has asked for IDLE seconds. Raises Garbled."""
        while True:
            try:
                data, seconds, future = self.waiting.get(timeout=IDLE)
            except queue.Empty:
                with self.lock:
                    if self.waiting.empty():
                        self.closed = True
                        return
                continue
            if not future.set_running_or_notify_cancel():
                continue  # who asked has gone
            try:
                future.set_result(wire.exchange(data, seconds))
            except Garbled as error:
                future.set_exception(refusal(error.word))
                raise

    def _close(self, problem: FileRefused | None) -> None:
        with self.lock:
            self.closed = True
            self.failed_at = time.monotonic() if problem else 0.0
        while not self.waiting.empty():
            self.waiting.get_nowait()[2].set_exception(problem or refusal("silent"))
        with _links_lock:
            if _links.get(self.sandbox.id) is self and not problem:
                del _links[self.sandbox.id]


_links: dict[UUID, Link] = {}
_links_lock = threading.Lock()


def ask(sandbox: Sandbox, request: dict[str, Any], payload: bytes = b"", seconds: float = 10.0) -> "Future[Answer]":
    """Ask the sandbox's file service, started if need be. Raises FileRefused, as the future does."""
    while True:
        with _links_lock:
            link = _links.get(sandbox.id)
            if link is None or (link.closed and time.monotonic() > link.failed_at + AFTER_FAILURE):
                _forget_failed()
                link = _links[sandbox.id] = Link(sandbox)
                link.start()
        future = link.ask(request, payload, seconds)
        if future is not None:
            return future
        if link.failed_at:
            raise refusal("silent")


def _forget_failed() -> None:
    now = time.monotonic()
    for sandbox_id in [key for key, link in _links.items() if link.closed and now > link.failed_at + AFTER_FAILURE]:
        del _links[sandbox_id]


def _attached(execution: Execution) -> socket.socket:
    """The attach socket of a command that has begun. Raises SandboxError, OSError, Garbled."""
    send_to(node_of(execution.sandbox), "start_execution", execution.id.hex)
    end = time.monotonic() + START_TIME
    while execution.state == Execution.State.QUEUED:
        if time.monotonic() > end:
            raise Garbled("silent")
        time.sleep(POLL)
        execution.refresh_from_db(fields=["state", "error"])
    if execution.state == Execution.State.FAILED:
        raise SandboxError(execution.error)
    return attach.begin(settings.STATE / "sandboxes" / execution.sandbox.id.hex / "commands" / execution.id.hex)
