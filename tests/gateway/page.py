"""A page's terminal over a real WebSocket that comes and goes: what frontend/src/terminal/stream.ts does, for tests of the whole site.

It asserts what a learner relies on: output goes on where it stopped, and input is told to be taken once, in order.
"""

import asyncio
import contextlib
import json
import struct
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Origin

from engine.gateway import frames

WINDOW, CHUNK, ACK_EVERY = 128 << 10, 16 << 10, 64 << 10  # bytes, as the page has them


class Page:
    """A context manager; within, it connects again whenever the connection is lost."""

    def __init__(self, site_port: int, port: int, path: str, headers: dict[str, str]) -> None:
        self.url = f"ws://127.0.0.1:{site_port}{path}"
        self.port = port
        self.origin = Origin(f"http://127.0.0.1:{site_port}")
        self.headers = headers
        self.client = uuid4().hex
        self.output = bytearray()
        self.received: int | None = None
        self.typed = b""
        self.taken = 0
        self.connections = 0
        self.fresh_starts = 0
        self.told: list[dict[str, str]] = []
        self._acknowledged = 0
        self._sent = 0
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self.reads = asyncio.Event()
        self.reads.set()

    async def __aenter__(self) -> "Page":
        self._task = asyncio.create_task(self._keep_connected())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        if self._task.done():
            self._task.result()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_connected(self) -> None:
        while True:
            with contextlib.suppress(ConnectionClosed, InvalidHandshake, InvalidMessage, OSError, TimeoutError, EOFError):
                await self._connection()
            self._socket = None
            await asyncio.sleep(0.02)

    async def _connection(self) -> None:
        offset = "" if self.received is None else f"&offset={self.received}"
        async with connect(
            f"{self.url}?client={self.client}{offset}",
            host="127.0.0.1",
            port=self.port,
            additional_headers=self.headers,
            origin=self.origin,
            compression=None,
            max_size=None,
            ping_interval=None,
            open_timeout=2,
            close_timeout=0.1,
        ) as socket:
            while True:
                await self.reads.wait()
                # The network may hang without a word; a person reloads, this goes on after a second without the hello it waits for.
                frame = await asyncio.wait_for(socket.recv(), 1.0 if self._socket is None else None)
                assert isinstance(frame, bytes)
                await self._take(frame, socket)

    async def _take(self, frame: bytes, socket: ClientConnection) -> None:
        kind, body = frame[0], frame[1:]
        if kind == frames.HELLO:
            hello = json.loads(body)
            self.connections += 1
            if self.received is not None and not hello["start"] <= self.received <= hello["end"]:
                self._draw_afresh()
            if self.received is None:
                self.received = hello["start"]
            assert self.taken <= hello["input"] <= self._sent, "the site knows where this page's input stands"
            self.taken = self._sent = hello["input"]
            self._acknowledged = self.received
            self._socket = socket
            await socket.send(struct.pack(">BQ", frames.ACK, self.received))
            await self._flush()
        elif kind == frames.OUTPUT:
            assert self.received is not None
            (offset,) = struct.unpack(">Q", body[:8])
            if offset > self.received:
                self._draw_afresh()
                self.received = offset
            assert offset == self.received, "no byte twice"
            self.output += body[8:]
            self.received += len(body) - 8
            if self.received - self._acknowledged >= ACK_EVERY:
                self._acknowledged = self.received
                await socket.send(struct.pack(">BQ", frames.ACK, self.received))
        elif kind == frames.TAKEN:
            (taken,) = struct.unpack(">Q", body)
            assert self.taken <= taken <= self._sent
            self.taken = taken
            await self._flush()
        elif kind == frames.NOTICE:
            self.told.append(json.loads(body))

    def _draw_afresh(self) -> None:
        self.fresh_starts += 1
        self.received = None
        self.output.clear()

    async def type(self, keys: bytes) -> None:
        self.typed += keys
        await self._flush()

    async def _flush(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while self._socket and self._sent < len(self.typed) and self._sent - self.taken < WINDOW:
                chunk = self.typed[self._sent : self._sent + CHUNK]
                offset, self._sent = self._sent, self._sent + len(chunk)
                await self._socket.send(struct.pack(">BQ", frames.TYPED, offset) + chunk)

    async def sees(self, text: bytes, seconds: float = 60.0) -> None:
        assert self._task is not None
        end = asyncio.get_running_loop().time() + seconds
        while text not in self.output:
            assert not self._task.done() or self._task.result() is None
            assert asyncio.get_running_loop().time() < end, f"{text!r} is not in what ends with {bytes(self.output[-300:])!r}"
            await asyncio.sleep(0.01)
