"""One request to a learner's server and its answer, streamed both ways: neither is ever in memory whole."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
from yarl import URL

from engine.preview import access, fields, hosts, problems
from engine.preview.access import Refused, Visit
from engine.preview.connections import carried
from engine.preview.problems import Problem

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

UPLOAD_MAX = 1 << 30  # bytes
CONNECT_MAX = 5.0  # s; how long an answer takes is the learner's affair
HEAD_MAX = 64 << 10  # bytes of one header field
NO_METHODS = {"CONNECT", "TRACE"}  # for proxies; and one that would show a script HttpOnly cookies


class TooLarge(Exception):
    """The upload is over UPLOAD_MAX."""


class Gone(Exception):
    """The browser has left."""


def session() -> aiohttp.ClientSession:
    """Of one connection, so that none outlives its sandbox in a pool. It sends and returns what it is given, and follows nothing."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_MAX),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        auto_decompress=False,
        max_line_size=HEAD_MAX,
        max_field_size=HEAD_MAX,
    )


def address(visit: Visit, scope: dict[str, Any], scheme: str) -> URL | None:
    """Where this request goes. The host is the sandbox's address, whatever the request says; None where its target is no path."""
    path = scope.get("raw_path") or b""
    if not path.startswith(b"/"):
        return None
    query = scope["query_string"].decode("latin-1")
    host, port = visit.preview.address, visit.place.port
    return URL.build(scheme=scheme, host=host, port=port, path=path.decode("latin-1"), query_string=query, encoded=True)


class Upload:
    """The request's body, read when the learner's server takes more."""

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        self.receive = receive
        self.length = hosts.header(scope, b"content-length")
        self.there = bool(self.length.strip("0")) or bool(hosts.header(scope, b"transfer-encoding"))
        self.read = asyncio.Event()
        self.refused: Exception | None = None
        if not self.there:
            self.read.set()

    async def parts(self) -> AsyncIterator[bytes]:
        """Raises TooLarge, Gone."""
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                self.refused = Gone()
                raise self.refused
            size += len(message.get("body", b""))
            if size > UPLOAD_MAX:
                self.refused = TooLarge()
                raise self.refused
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                self.read.set()
                return

    async def left(self) -> None:
        """Return when the browser has left. The connection says so only once the body has been read."""
        await self.read.wait()
        while (await self.receive())["type"] != "http.disconnect":
            pass


async def forward(scope: dict[str, Any], receive: Receive, send: Send, visit: Visit) -> None:
    """Pass the request on and its answer back. Raises Refused while nothing has been answered."""
    target = address(visit, scope, "http")
    if scope["method"] in NO_METHODS or target is None:
        raise Refused(problems.BAD_REQUEST)
    upload = Upload(scope, receive)
    if upload.length.isdigit() and int(upload.length) > UPLOAD_MAX:
        raise Refused(problems.TOO_LARGE)
    work = asyncio.create_task(_exchange(scope, send, visit, target, upload))
    left = asyncio.create_task(upload.left())
    try:
        await asyncio.wait((work, left), return_when=asyncio.FIRST_COMPLETED)
        if work.cancelled():  # while it went on, the visit ended: this says why
            await access.check(visit.place, visit.granted)
        elif work.done():
            work.result()
    finally:
        for task in (work, left):
            task.cancel()
        await asyncio.gather(work, left, return_exceptions=True)


async def _exchange(scope: dict[str, Any], send: Send, visit: Visit, target: URL, upload: Upload) -> None:
    client = (scope.get("client") or ("",))[0]
    headers = fields.to_server(scope["headers"], visit.place, client)
    async with carried(visit), session() as asking:
        try:
            answer = await asking.request(
                scope["method"], target, headers=headers, data=upload.parts() if upload.there else None, allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if isinstance(upload.refused, Gone):
                return
            raise Refused(problems.TOO_LARGE if upload.refused else problem_of(error, visit)) from error
        async with answer:
            await _answer(answer, send)


async def _answer(answer: aiohttp.ClientResponse, send: Send) -> None:
    """The answer as it comes. One that breaks off is left unfinished, so that the browser knows it is not whole."""
    await send({"type": "http.response.start", "status": answer.status, "headers": fields.to_browser(answer.raw_headers)})
    whole = "Content-Length" not in answer.headers
    try:
        async for part in answer.content.iter_any():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        whole = True
    except asyncio.CancelledError:
        # The visit is over, or the browser has left. What had no length may end here; the page asks anew and is told why.
        if whole:
            await send({"type": "http.response.body", "body": b""})
        raise
    except (aiohttp.ClientError, OSError):
        whole = False
    if whole:
        await send({"type": "http.response.body", "body": b""})


def problem_of(error: Exception, visit: Visit) -> Problem:
    """Why the learner's server could not be asked."""
    port = visit.place.port
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno == errno.ECONNREFUSED:
        inside = any(item == {"port": port, "reachable": False} for item in visit.preview.ports)
        return problems.only_inside(port) if inside else problems.nothing_listens(port)
    if isinstance(error, aiohttp.ClientConnectorError | TimeoutError):
        return problems.silent(port)
    return problems.not_http(port)
