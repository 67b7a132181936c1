"""The far end of a terminal's WebSocket: speaks the frames of docs/terminal-protocol.md to the gateway's ASGI application, in this process.

What it asserts at every frame is what a browser relies on: hello comes first, and output is contiguous.
"""

import asyncio
import contextlib
import json
import struct
from types import TracebackType
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from channels.auth import UserLazyObject
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from engine.gateway import app, frames
from tests.waiting import soon

WINDOW, PASTED = 128 << 10, 16 << 10  # bytes, as the page has them


def _as_signed_in(user: AbstractBaseUser | AnonymousUser) -> UserLazyObject:
    """The user as the site's middleware puts them into the scope: an object that is of no model's class."""
    lazy = UserLazyObject()
    lazy._wrapped = user
    return lazy


class Browser:
    """One connection. `acknowledges`: as xterm.js does once it has drawn; without it the window closes."""

    def __init__(
        self,
        terminal_id: UUID,
        user: AbstractBaseUser | AnonymousUser,
        offset: int | None = None,
        *,
        acknowledges: bool = True,
        client: str = "",
    ) -> None:
        self.scope = {
            "type": "websocket",
            "url_route": {"kwargs": {"terminal_id": terminal_id}},
            "user": _as_signed_in(user),
            "query_string": urlencode(({} if offset is None else {"offset": offset}) | {"client": client}).encode(),
        }
        self.client = client
        self.acknowledges = acknowledges
        self.hello: dict[str, Any] = {}
        self.view: dict[str, Any] = {}
        self.notices: list[dict[str, Any]] = []
        self.typed = b""
        self.typed_from = 0
        self.taken = 0
        self.first: int | None = None
        self.output = bytearray()
        self.exit: int | None = None
        self.close_code: int | None = None
        self.accepted = False
        self._to_gateway: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @property
    def next_offset(self) -> int:
        """What this browser would resume at."""
        assert self.first is not None
        return self.first + len(self.output)

    async def __aenter__(self) -> "Browser":
        await self._to_gateway.put({"type": "websocket.connect"})
        self._task = asyncio.create_task(app.terminal(self.scope, self._to_gateway.get, self._receive))
        await soon(lambda: self.hello or self.close_code is not None or self.ended, "hello, or a close")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.leave()

    @property
    def ended(self) -> bool:
        return self._task is not None and self._task.done()

    async def leave(self) -> None:
        """Close the tab, and wait until the gateway has noticed."""
        assert self._task is not None
        await self._to_gateway.put({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self._task, 10)  # raises what went wrong in the gateway

    async def _receive(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept":
            self.accepted = True
        elif message["type"] == "websocket.close":
            self.close_code = message["code"]
        else:
            self._frame(message["bytes"])
        await asyncio.sleep(0)

    def _frame(self, frame: bytes) -> None:
        kind, body = frame[0], frame[1:]
        assert self.hello or kind == frames.HELLO, "hello is the first frame"
        if kind == frames.HELLO:
            assert not self.hello, "hello comes once"
            self.hello = self.view = json.loads(body)
            self.typed_from = self.taken = self.hello["input"]
        elif kind == frames.OUTPUT:
            (offset,) = struct.unpack(">Q", body[:8])
            if self.first is None:
                self.first = offset
            assert offset == self.next_offset, "no byte twice, none left out"
            self.output += body[8:]
            if self.acknowledges:
                self.acknowledge()
        elif kind == frames.EXIT:
            (self.exit,) = struct.unpack(">i", body)
        elif kind == frames.TAKEN:
            (self.taken,) = struct.unpack(">Q", body)
            assert self.taken <= self.typed_from + len(self.typed)
        elif kind == frames.VIEW:
            self.view = json.loads(body)
        elif kind == frames.NOTICE:
            self.notices.append(json.loads(body))
        else:
            raise AssertionError(f"an unknown frame: {frame[:20]!r}")

    def acknowledge(self) -> None:
        """Tell that all output so far is drawn."""
        self.send(struct.pack(">BQ", frames.ACK, self.next_offset))

    def type(self, data: bytes | str) -> None:
        """Keys; numbered where this browser has a client id."""
        keys = data.encode() if isinstance(data, str) else data
        if self.client:
            self.send(struct.pack(">BQ", frames.TYPED, self.typed_from + len(self.typed)) + keys)
            self.typed += keys
        else:
            self.send(bytes([frames.INPUT]) + keys)

    async def paste(self, data: bytes) -> None:
        """A lot of keys, as the page sends them: no more than WINDOW on their way."""
        for start in range(0, len(data), PASTED):
            await soon(lambda: self.typed_from + len(self.typed) - self.taken <= WINDOW - PASTED or self.ended, "it is taken", 60)
            self.type(data[start : start + PASTED])

    @property
    def untaken(self) -> bytes:
        """What the next connection of this client has to send again."""
        return self.typed[self.taken - self.typed_from :]

    def told(self, kind: str) -> list[str]:
        return [notice["text"] for notice in self.notices if notice["kind"] == kind]

    def resize(self, columns: int, rows: int) -> None:
        self.send(struct.pack(">BHH", frames.RESIZE, columns, rows))

    def send(self, frame: bytes) -> None:
        self._to_gateway.put_nowait({"type": "websocket.receive", "bytes": frame})

    async def sees(self, text: bytes | str, seconds: float = 20.0) -> None:
        """Wait until `text` is in the output."""
        wanted = text.encode() if isinstance(text, str) else text
        with contextlib.suppress(AssertionError):  # said below, with what was there instead
            await soon(lambda: wanted in self.output or self.ended, "the output", seconds)
        assert wanted in self.output, f"{wanted!r} is not in what ends with {bytes(self.output[-300:])!r} (closed: {self.close_code})"
