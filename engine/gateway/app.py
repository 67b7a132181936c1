"""The terminal gateway: a plain ASGI application, one call per WebSocket. Bytes go browser <-> here <-> conmon, and nowhere else.

Authentication and Origin are checked before this by the router's middleware; whose terminal it is, here, on every connection.
"""

import asyncio
import contextlib
import os
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs

import redis
import structlog
from channels.layers import get_channel_layer

from engine.gateway import access, frames, traffic
from engine.gateway.access import Visit
from engine.gateway.activity import Activity
from engine.gateway.feed import Gone
from engine.gateway.ledger import unwritten
from engine.gateway.room import Room, directory_of, room_of, rooms
from engine.models import Terminal
from engine.runtime import conmon
from engine.side_by_side import until_first

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# What one browser may cost: WINDOW and one read of the log on their way out, PENDING_MAX on their way in; together under 1 MiB.
WINDOW = 512 << 10  # bytes sent and not acknowledged
PENDING_MAX = 256 << 10  # bytes of input received and not yet taken by the terminal; a page has half of that unacknowledged
TAKEN_EVERY, TAKEN_AFTER = 32 << 10, 0.1  # bytes, s until the browser is told that its input has been taken
NOTICES_MAX = 32  # frames that wait for a browser that reads nothing
REFUSED_EVERY = 5.0  # s between two notices that this terminal is read-only
OPENING_MAX, OPENING_LOOK = 10.0, 0.005  # s
LOOK_FIRST, LOOK_LAST = 0.02, 5.0  # s until the log is looked at again though nothing was heard
CLIENT = re.compile(r"[A-Za-z0-9_-]{8,64}")
OFFSET = re.compile(r"[0-9]{1,19}")

log = structlog.get_logger(__name__)


async def terminal(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """`/ws/terminals/<terminal id>[?offset=N][&client=ID]`."""
    if (await receive())["type"] != "websocket.connect":
        return
    await send({"type": "websocket.accept"})
    user = scope["user"]
    visit = await access.visit(user, scope["url_route"]["kwargs"]["terminal_id"])
    if isinstance(visit, int):
        await send({"type": "websocket.close", "code": visit})
        return
    if visit.terminal.state == Terminal.State.OPENING and not await _opened(visit.terminal):
        await send({"type": "websocket.close", "code": frames.TRY_AGAIN})
        return
    query = parse_qs(scope["query_string"].decode())
    offset, client = (query.get(name, [""])[0] for name in ("offset", "client"))
    if not CLIENT.fullmatch(client):
        client = ""
    if not visit.owner:
        await _note_watching(visit, client, user)
    writes = await access.may_write(visit)
    # No await from here until it has joined: a room without guests would stay.
    room = room_of(visit.terminal)
    room.replace(visit.user_id, client)
    viewer = Viewer(visit, room, int(offset) if OFFSET.fullmatch(offset) else None, client, writes, receive, send)
    try:
        with traffic.CONNECTIONS.track_inprogress():
            await viewer.run()
    except (Gone, FileNotFoundError, PermissionError) as error:
        # Told as "try again": the page asks for the lab's state and shows why it ended.
        log.info("terminal.gone", terminal=str(visit.terminal.id), error=repr(error))
        with contextlib.suppress(RuntimeError):  # the browser has gone as well
            await send({"type": "websocket.close", "code": frames.TRY_AGAIN})


async def _opened(terminal: Terminal) -> bool:
    """Wait until the worker has opened it: a page connects as soon as it has asked. The log is what the worker hands over last."""
    log_file, end = directory_of(terminal) / conmon.LOG_NAME, time.monotonic() + OPENING_MAX
    while not os.access(log_file, os.R_OK):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(OPENING_LOOK)
    return True


async def _note_watching(visit: Visit, client: str, user: Any) -> None:
    """Each opening by staff goes into the audit log; a connection that was lost and came back is no new one."""
    room = rooms.get(visit.terminal.id)
    if room is None or not room.here(visit.user_id):
        await access.end_grant(visit)  # a leave to write lasts as long as the watching
    if room is None or not room.knows(visit.user_id, client):
        await access.note_watching(visit, user)


class Viewer:
    """One browser at one terminal."""

    def __init__(self, visit: Visit, room: Room, offset: int | None, client: str, writes: bool, receive: Receive, send: Send) -> None:
        self.visit, self.room, self.feed = visit, room, room.feed
        self.unnamed = not client
        self.client = client or f"unnamed {id(self)}"
        self.wished = offset
        self.receive, self.send = receive, send
        self.activity = Activity(visit.terminal.sandbox_id)
        self.account = self.feed.ledger.account(visit.user_id, client) if client else unwritten()
        self.writes = writes
        self.size: tuple[int, int] | None = None
        self.acknowledged = 0
        self.sent = 0
        self.news = asyncio.Event()
        self.notices: deque[bytes] = deque(maxlen=NOTICES_MAX)
        self.pending: deque[bytes] = deque()
        self.pending_size = 0
        self.typed = asyncio.Event()
        self.received = self.told = self.account.taken
        self.telling: asyncio.TimerHandle | None = None
        self.refused_at = -REFUSED_EVERY
        self.leaving = asyncio.Event()
        self.close_code: int | None = None

    async def run(self) -> None:
        """Serve until either side goes. Raises Gone, FileNotFoundError, PermissionError."""
        self.room.join(self)
        works: list[Coroutine[Any, Any, Any]] = [self._output(), self._input(), self._typing(), self.leaving.wait()]
        if not self.visit.owner:
            works.append(self._rights())
        try:
            await until_first(*works)
        finally:
            if self.telling:
                self.telling.cancel()
            self.room.leave(self)
        if self.close_code is not None:
            await self.send({"type": "websocket.close", "code": self.close_code})

    # What the room asks of a guest

    def wake(self) -> None:
        self.news.set()

    def tell(self, frame: bytes) -> None:
        """Send this frame soon. Where a browser reads nothing the oldest are forgotten."""
        self.notices.append(frame)
        self.news.set()

    def dismiss(self, code: int) -> None:
        """Take nothing more from this browser, and close with `code`."""
        self.account.close()
        self.close_code = code
        self.leaving.set()

    # Output

    async def _output(self) -> None:
        """Send what the log has from the wished offset on, at most WINDOW ahead of the browser's acknowledgements."""
        history = await self.feed.open_log()
        end = await history.end()
        wished = self.wished if self.wished is not None and history.start <= self.wished <= end else None
        cursor = history.cursor(wished)
        # A wish for what is not at hand cannot be met: the browser sees that from `start` and `end`, and draws afresh.
        start = history.start if wished is not None else cursor.offset
        await self._frame(frames.hello(start, end, self.account.taken, self.room.view(self)))
        if self.account.uncertain:
            self.tell(_uncertain(self.account.uncertain))
        self.sent = self.acknowledged = start if wished is None else wished
        patience = LOOK_FIRST
        while True:
            while self.notices:
                await self._frame(self.notices.popleft())
            behind = self.sent - self.acknowledged >= WINDOW
            self.feed.hold(self, behind)
            self.news.clear()
            data = b""
            if not behind:
                data = cursor.read()
                self.feed.progress(cursor.offset, bool(data))
            if data:
                patience = LOOK_FIRST
                await self._send_output(cursor.offset - len(data), data)
                await asyncio.sleep(0)  # a web server that never makes `send` wait would keep the loop from the others
            elif self.feed.ended and not behind and not history.unreadable:
                await self._exit()
                return
            else:
                # Output from before conmon accepted our connection is in the log only, and nobody tells: look again, ever more rarely.
                timer = asyncio.get_running_loop().call_later(patience, self.news.set)
                try:
                    await self.news.wait()
                finally:
                    timer.cancel()
                patience = LOOK_FIRST if history.unreadable else min(2 * patience, LOOK_LAST)

    async def _send_output(self, offset: int, data: bytes) -> None:
        if offset > self.sent:  # it was too far behind: what lies between is no longer kept
            self.acknowledged = offset
        elif offset < self.sent:  # the browser has it already
            data = data[self.sent - offset :]
            offset = self.sent
        if data:
            self.sent = offset + len(data)  # before it is sent: the acknowledgement may come while `send` still waits
            await self._frame(frames.output(offset, data))
            traffic.OUT.inc(len(data))
            self.activity.note()

    async def _exit(self) -> None:
        for _ in range(100):  # conmon closes the socket a moment before it writes the status
            status = conmon.exit_status(self.feed.directory, self.visit.terminal.sandbox_id.hex)
            if status is not None:
                await self._frame(frames.exited(status))
                self.close_code = frames.NORMAL
                return
            await asyncio.sleep(0.01)
        raise Gone

    async def _frame(self, frame: bytes) -> None:
        await self.send({"type": "websocket.send", "bytes": frame})

    # Input

    async def _input(self) -> None:
        """Take frames as they come. Keystrokes may wait in `pending`; resize and acknowledgements are never behind them."""
        while True:
            message = await self.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                frame = frames.parse(message.get("bytes") or b"")
                match frame:
                    case frames.Input(data, offset):
                        self._typed(data, offset)
                    case frames.Ack(offset):
                        if self.acknowledged < offset <= self.sent:
                            self.acknowledged = offset
                            self.news.set()
                    case frames.Resize(columns, rows):
                        self.size = (columns, rows)
                        self.room.active(self)
            except frames.BadFrame as error:
                log.warning("terminal.bad_frame", terminal=str(self.visit.terminal.id), error=str(error))
                self.close_code = frames.BAD_FRAME
            if self.pending_size > PENDING_MAX:
                self.close_code = frames.TOO_MUCH
            if self.close_code is not None:
                return

    def _typed(self, data: bytes, offset: int | None) -> None:
        """Hand keys to the terminal at once where it takes them. Raises BadFrame where some that came before are missing."""
        if offset is not None:
            if offset > self.received:
                raise frames.BadFrame(f"input from {offset} on, after {self.received}")
            data = data[self.received - offset :]
        self.received += len(data)
        if not self.writes:
            self._forget_input()
            self._refuse()
            return
        self.room.active(self)
        self.activity.note()
        if not self.pending and self.feed.idle_input:
            data = data[self._hand_over(data) :]
        if data:
            self.pending.append(data)
            self.pending_size += len(data)
            self.typed.set()

    def _hand_over(self, data: bytes) -> int:
        try:
            count = self.feed.type_now(data, self.account)
        except Gone:  # keys to a shell that has exited go nowhere; the browser is being told
            self.account.settle(self.received)
            return len(data)
        traffic.IN.inc(count)
        self._took()
        return count

    async def _typing(self) -> None:
        """Hand over what waits, at the rate at which the terminal takes it."""
        while True:
            await self.typed.wait()
            self.typed.clear()
            while self.pending:
                data = self.pending[0]
                with contextlib.suppress(Gone):
                    await self.feed.type(data, self.account)
                if not self.pending:  # the leave to write has been taken back meanwhile
                    break
                self.pending.popleft()
                self.pending_size -= len(data)
                if self.feed.ended:
                    self._forget_input()
                traffic.IN.inc(len(data))
                self._took()

    def _forget_input(self) -> None:
        """What came goes nowhere, and is not to come again."""
        self.pending.clear()
        self.pending_size = 0
        self.account.settle(self.received)
        self._took()

    def _refuse(self) -> None:
        if time.monotonic() - self.refused_at > REFUSED_EVERY:
            self.refused_at = time.monotonic()
            owner = self.visit.terminal.sandbox.owner
            name = owner.get_full_name() or owner.get_username() if owner else "Its owner"
            self.tell(frames.notice("read-only", f"You are watching. {name} can let you type."))

    def _took(self) -> None:
        """Tell a browser that counts, and not for each key."""
        if self.unnamed:
            return
        if self.account.taken - self.told >= TAKEN_EVERY:
            self._tell_taken()
        elif self.telling is None:
            self.telling = asyncio.get_running_loop().call_later(TAKEN_AFTER, self._tell_taken)

    def _tell_taken(self) -> None:
        if self.telling:
            self.telling.cancel()
            self.telling = None
        if self.told != self.account.taken:
            self.told = self.account.taken
            self.tell(frames.taken(self.told))

    # Rights

    async def _rights(self) -> None:
        """Hear when the owner lets this watcher write, or no longer. Without Redis nobody hears, and it goes on as it was."""
        while True:
            try:
                layer = get_channel_layer()
                channel = await layer.new_channel()
                await layer.group_add(access.group(self.visit.terminal.id), channel)
                while True:
                    if not await access.still_watches(self.visit):
                        self.dismiss(frames.NOT_YOURS)
                    self._now_writes(await access.may_write(self.visit))
                    await layer.receive(channel)
            except (redis.RedisError, OSError) as error:
                log.warning("terminal.rights_not_heard", terminal=str(self.visit.terminal.id), error=str(error))
                await asyncio.sleep(LOOK_LAST)

    def _now_writes(self, writes: bool) -> None:
        if writes == self.writes:
            return
        self.writes = writes
        if not writes:
            self._forget_input()
        self.tell(frames.notice("write", "You can type now." if writes else "You can no longer type here."))
        self.room.show_all()


def _uncertain(count: int) -> bytes:
    keys = "the last character you typed" if count == 1 else f"the last {count} characters you typed"
    return frames.notice("uncertain", f"The server stopped just as it passed on {keys}. Look whether they arrived.")
