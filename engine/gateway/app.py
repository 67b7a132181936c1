"""The terminal gateway: a plain ASGI application, one call per WebSocket. Bytes go browser <-> here <-> conmon, and nowhere else.

Authentication and Origin are checked before this by the router's middleware; whose terminal it is, here, on every connection.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import structlog
from asgiref.sync import sync_to_async
from django.conf import settings

from engine.gateway import frames, traffic
from engine.gateway.activity import Activity
from engine.gateway.feed import Gone, TerminalFeed
from engine.gateway.segments import Segments, memory_of
from engine.models import Sandbox, Terminal
from engine.runtime import conmon

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

WINDOW = 512 << 10  # bytes sent and not acknowledged
PENDING_MAX = 16 << 20  # bytes of input received and not yet taken by the terminal
FRAME_MAX = 64 << 10  # bytes of output per frame
LOOK_FIRST, LOOK_LAST = 0.02, 5.0  # s until the log is looked at again though nothing was heard

log = structlog.get_logger(__name__)
feeds: dict[UUID, TerminalFeed] = {}


async def terminal(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """`/ws/terminals/<terminal id>[?offset=N]`."""
    if (await receive())["type"] != "websocket.connect":
        return
    await send({"type": "websocket.accept"})
    found = await _terminal(scope["url_route"]["kwargs"]["terminal_id"])
    refusal = _refusal(scope["user"], found)
    if refusal or found is None:
        await send({"type": "websocket.close", "code": refusal})
        return
    wished = parse_qs(scope["query_string"].decode()).get("offset", [""])[0]
    viewer = Viewer(found, int(wished) if wished.isdigit() else None, receive, send)
    try:
        with traffic.CONNECTIONS.track_inprogress():
            await viewer.run()
    except (Gone, FileNotFoundError, PermissionError) as error:
        # Told as "try again": the page asks for the lab's state and shows why it ended.
        log.info("terminal.gone", terminal=str(found.id), error=repr(error))
        with contextlib.suppress(RuntimeError):  # the browser has gone as well
            await send({"type": "websocket.close", "code": frames.TRY_AGAIN})


def _refusal(user: Any, found: Terminal | None) -> int:
    """The code to close with, or 0 where this user may have this terminal."""
    if not user.is_authenticated:
        return frames.NOT_LOGGED_IN
    if found is None:
        return frames.NO_SUCH_TERMINAL
    if not found.sandbox.may_be_used_by(user):
        return frames.NOT_YOURS
    return 0 if found.sandbox.state == Sandbox.State.RUNNING else frames.ENDED


@sync_to_async
def _terminal(terminal_id: UUID) -> Terminal | None:
    return Terminal.objects.select_related("sandbox").filter(id=terminal_id).first()


def _feed(terminal: Terminal) -> TerminalFeed:
    """This process's one connection to the terminal. Raises Gone, PermissionError."""
    feed = feeds.get(terminal.id)
    if feed is None:
        directory = settings.STATE / "sandboxes" / terminal.sandbox_id.hex / "terminals" / str(terminal.number)
        feed = TerminalFeed(directory, Segments(memory_of(terminal.id)))
        with contextlib.suppress(Gone):  # the log of a shell that has exited can still be read
            feed.connect()
        feeds[terminal.id] = feed
    return feed


class Viewer:
    """One browser at one terminal."""

    def __init__(self, terminal: Terminal, offset: int | None, receive: Receive, send: Send) -> None:
        self.terminal = terminal
        self.wished = offset
        self.receive, self.send = receive, send
        self.feed = _feed(terminal)
        self.activity = Activity(terminal.sandbox_id)
        self.acknowledged = 0
        self.sent = 0
        self.news = asyncio.Event()
        self.pending: deque[bytes] = deque()
        self.pending_size = 0
        self.typed = asyncio.Event()

    async def run(self) -> None:
        """Serve until either side goes. Raises Gone."""
        self.feed.subscribe(self.news.set)
        tasks = [asyncio.create_task(work()) for work in (self._output, self._input, self._typing)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.feed.unsubscribe(self.news.set)
            if not self.feed.watched:
                self.feed.disconnect()
                feeds.pop(self.terminal.id, None)

    async def _output(self) -> None:
        """Send what the log has from the wished offset on, at most WINDOW ahead of the browser's acknowledgements."""
        cursor = self.feed.segments.cursor(self.feed.log)
        try:
            start, end = cursor.offset, await asyncio.to_thread(cursor.end)
            columns, rows = self.feed.last_size or (80, 24)
            await self._frame(frames.hello(start, end, columns, rows))
            # A wish outside what is kept cannot be met: the browser sees that from `start` and `end`, and draws afresh.
            self.sent = self.acknowledged = self.wished if self.wished is not None and start <= self.wished <= end else start
            segment = cursor.segment
            patience = LOOK_FIRST
            while True:
                behind = self.sent - self.acknowledged >= WINDOW
                self.feed.hold(self.news.set, behind)
                self.news.clear()
                data = b"" if behind else cursor.read()
                if cursor.segment != segment:
                    segment = cursor.segment
                    self.feed.segments.remember(segment)
                if data:
                    patience = LOOK_FIRST
                    await self._send_output(cursor.offset - len(data), data)
                elif self.feed.ended and not behind:
                    await self._exit()
                    return
                else:
                    # Output from before conmon accepted our connection is in the log only, and nobody tells: look again, ever more rarely.
                    # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the news.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(patience):
                            await self.news.wait()
                    patience = min(2 * patience, LOOK_LAST)
        finally:
            cursor.close()

    async def _send_output(self, offset: int, data: bytes) -> None:
        if offset < self.sent:  # the browser has it already
            data = data[self.sent - offset :]
            offset = self.sent
        for start in range(0, len(data), FRAME_MAX):
            part = data[start : start + FRAME_MAX]
            self.sent = offset + start + len(part)  # before it is sent: the acknowledgement may come while `send` still waits
            await self._frame(frames.output(offset + start, part))
            traffic.OUT.inc(len(part))
        if data:
            self.activity.note()

    async def _exit(self) -> None:
        for _ in range(100):  # conmon closes the socket a moment before it writes the status
            status = conmon.exit_status(self.feed.directory, self.terminal.sandbox_id.hex)
            if status is not None:
                await self._frame(frames.exited(status))
                await self.send({"type": "websocket.close", "code": frames.NORMAL})
                return
            await asyncio.sleep(0.01)
        raise Gone

    async def _frame(self, frame: bytes) -> None:
        await self.send({"type": "websocket.send", "bytes": frame})

    async def _input(self) -> None:
        """Take frames as they come. Keystrokes wait in `pending`, so that resize and acknowledgements are never behind a large paste."""
        while True:
            message = await self.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                frame = frames.parse(message.get("bytes") or b"")
            except frames.BadFrame as error:
                log.warning("terminal.bad_frame", terminal=str(self.terminal.id), error=str(error))
                await self.send({"type": "websocket.close", "code": 1003})
                return
            match frame:
                case frames.Input(data):
                    self.pending.append(data)
                    self.pending_size += len(data)
                    self.typed.set()
                    if self.pending_size > PENDING_MAX:
                        await self.send({"type": "websocket.close", "code": frames.TOO_MUCH})
                        return
                case frames.Resize(columns, rows):
                    self.feed.resize(columns, rows)
                case frames.Ack(offset):
                    if self.acknowledged < offset <= self.sent:
                        self.acknowledged = offset
                        self.news.set()

    async def _typing(self) -> None:
        """Hand keystrokes to the terminal at the rate at which it takes them."""
        while True:
            await self.typed.wait()
            self.typed.clear()
            while self.pending:
                data = self.pending.popleft()
                if not self.feed.ended:  # keys to a shell that has exited go nowhere; the browser has been told
                    await self.feed.type(data)
                    traffic.IN.inc(len(data))
                    self.activity.note()
                self.pending_size -= len(data)
