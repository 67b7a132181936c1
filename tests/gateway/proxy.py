"""A bad network between a page and the site: it splits, delays and drops, and delivers late what a dead connection still held."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PIECE = 16 << 10  # bytes read at once


class Proxy:
    """TCP on a port of its own to `target`. `life`: most bytes of a connection; then it is cut, or hangs and delivers late."""

    def __init__(self, target: int, seed: int, life: int) -> None:
        self.target = target
        self.life = life
        self.random = random.Random(seed)
        self.port = 0
        self.cut = 0
        self.late = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, page_reader: asyncio.StreamReader, page_writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            site_reader, site_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except ConnectionRefusedError:  # the site is being started again
            page_writer.transport.abort()
            return
        left = [self.random.randrange(2000, self.life)]  # past the handshake

        async def up() -> None:
            """To the site. What comes last may be delivered long after the page has heard the connection break and has made another."""
            async for data in self._pieces(page_reader, left):
                if left[0] <= 0 and self.random.random() < 0.5:
                    self.late += 1
                    page_writer.transport.abort()
                    await asyncio.sleep(self.random.random() / 5)
                await self._send(site_writer, data)

        async def down() -> None:
            async for data in self._pieces(site_reader, left):
                await self._send(page_writer, data)

        ways = [asyncio.create_task(up()), asyncio.create_task(down())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        ways[1].cancel()
        await asyncio.wait(ways, timeout=0.2)
        ways[0].cancel()
        self.cut += 1
        for writer in (page_writer, site_writer):
            writer.transport.abort()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _pieces(self, reader: asyncio.StreamReader, left: list[int]) -> AsyncIterator[bytes]:
        with contextlib.suppress(OSError):
            while left[0] > 0 and (data := await reader.read(PIECE)):
                left[0] -= len(data)
                yield data

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        with contextlib.suppress(OSError):
            while data:
                size = self.random.choice((1, 2, 5, 100, PIECE))
                writer.write(data[:size])
                await writer.drain()
                data = data[size:]
                await asyncio.sleep(self.random.choice((0, 0, 0, 0.001, 0.005)))
