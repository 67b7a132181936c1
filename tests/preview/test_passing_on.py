"""Requests, uploads, downloads, events and WebSockets through a preview, on real sockets."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from django.utils import timezone

from engine.models import Sandbox
from engine.preview import connections, http
from tests.preview.conftest import Site, change, learner_server
from tests.waiting import at_rest, soon, soon_true

pytestmark = pytest.mark.django_db(transaction=True)
MEGABYTE = 1 << 20


async def _echo(request: web.Request) -> web.StreamResponse:
    """What the server got, for the test to look at."""
    told = {"method": request.method, "path": request.raw_path, "headers": {name.lower(): value for name, value in request.headers.items()}}
    return web.json_response(told | {"body": (await request.read()).decode()})


async def test_it_works(site: Site) -> None:
    """Method, path, header and body arrive as they were sent, and the answer as it was given."""
    async with learner_server(web.route("*", "/{path:.*}", _echo)) as port:
        headers = site.headers(port) | {"X-Mine": "ä", "Accept": "text/plain"}
        async with site.ask(port, "/a%2Fb//c?q=%C3%A4&q=2", "PATCH", data=b"a body", headers=headers) as answer:
            got = await answer.json()
    assert (got["method"], got["path"], got["body"]) == ("PATCH", "/a%2Fb//c?q=%C3%A4&q=2", "a body")
    assert got["headers"]["host"] == site.host(port)
    assert got["headers"]["x-mine"] == "ä"
    assert "cookie" not in got["headers"]
    assert got["headers"]["x-forwarded-proto"] == "http"


async def test_nothing_listens(site: Site) -> None:
    async with learner_server() as port:
        pass
    async with site.ask(port, headers=site.headers(port) | {"Accept": "text/html"}) as answer:
        page = await answer.text()
        assert (answer.status, f"Nothing listens on port {port}" in page, "Start your server, then reload." in page) == (502, True, True)
    await change(site.preview, ports=[{"port": port, "reachable": False}])
    async with site.ask(port) as answer:
        assert "`0.0.0.0`" in await answer.text()


async def test_what_speaks_no_http_is_named(site: Site) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_10.0\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with listening, site.ask(listening.sockets[0].getsockname()[1]) as answer:
        assert (answer.status, "does not speak HTTP" in await answer.text()) == (502, True)


async def test_redirects_codings_and_cookies_come_as_they_are(site: Site) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        gzip = {"Content-Encoding": "gzip", "Location": "/next", "Set-Cookie": "a=1; Domain=localhost"}
        return web.Response(status=307, body=b"not really gzip", headers=gzip)

    async with learner_server(web.get("/", answer)) as port, site.ask(port, headers=site.headers(port)) as got:
        assert (got.status, got.headers["Location"], got.headers["Set-Cookie"]) == (307, "/next", "a=1")
        assert got.headers["Content-Encoding"] == "gzip"


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(site: Site) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(break_off, "127.0.0.1", 0)
    async with listening, site.ask(listening.sockets[0].getsockname()[1]) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_large_download_waits_for_a_slow_browser(site: Site) -> None:
    """Nobody holds it whole: the server cannot write on while the browser does not read."""
    written = 0

    async def much(request: web.Request) -> web.StreamResponse:
        nonlocal written
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(64):
            await answer.write(b"x" * MEGABYTE)
            written += 1
        return answer

    async with learner_server(web.get("/", much)) as port, site.ask(port) as answer:
        await soon(lambda: written, "the first is written")
        await at_rest(lambda: written)
        assert written < 32
        size = 0
        async for part in answer.content.iter_any():
            size += len(part)
        assert size == 64 * MEGABYTE


async def test_a_large_upload_waits_for_a_slow_server_and_arrives_whole(site: Site) -> None:
    sent, go = 0, asyncio.Event()
    hashed = hashlib.sha256()

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for number in range(64):
            hashed.update(part := bytes([number]) * MEGABYTE)
            yield part
            sent += 1

    async def slow(request: web.Request) -> web.StreamResponse:
        await go.wait()
        got = hashlib.sha256()
        async for part in request.content.iter_any():
            got.update(part)
        return web.Response(text=got.hexdigest())

    async with learner_server(web.post("/", slow)) as port:
        asking = asyncio.create_task(_text(site.ask(port, "/", "POST", data=body())))
        await soon(lambda: sent, "the first is sent")
        await at_rest(lambda: sent)
        assert 0 < sent < 32
        go.set()
        assert await asking == hashed.hexdigest()


async def _text(request: Any) -> str:
    async with request as answer:
        return str(await answer.text())


async def test_an_upload_over_the_limit_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "UPLOAD_MAX", MEGABYTE)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * MEGABYTE

    async with learner_server(web.post("/", _echo)) as port:
        for data in (b"x" * 2 * MEGABYTE, parts()):
            async with site.ask(port, "/", "POST", data=data) as answer:
                assert (answer.status, "too large" in await answer.text()) == (413, True)


async def test_events_come_one_by_one_and_leaving_ends_them(site: Site) -> None:
    gone = asyncio.Event()
    more: asyncio.Queue[bytes] = asyncio.Queue()

    async def events(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        try:
            while True:
                await answer.write(await more.get())
        finally:
            gone.set()

    async with learner_server(web.get("/", events)) as port:
        more.put_nowait(b"data: first\n\n")
        async with site.ask(port) as answer:
            assert await answer.content.readany() == b"data: first\n\n"
            more.put_nowait(b"data: second\n\n")
            assert await answer.content.readany() == b"data: second\n\n"
        await soon(lambda: connections.labs == {}, "the preview has let go")
        more.put_nowait(b"data: third\n\n")
        more.put_nowait(b"data: fourth\n\n")
        await asyncio.wait_for(gone.wait(), 5)


async def _mirror(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=["chat"], max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        if message.data == "bye":
            await socket.close(code=4001, message=b"as asked")
        elif message.type == aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data * 4)
    return socket


def _socket(site: Site, port: int, **headers: str) -> Any:
    origin = {"Origin": f"http://{site.host(port)}"}
    url = f"http://127.0.0.1:{site.port}/live"
    return site.asking.ws_connect(url, headers=site.headers(port) | origin | headers, protocols=["other", "chat"], max_msg_size=0)


async def test_a_websocket_echoes_text_and_bytes_and_closes_with_its_code(site: Site) -> None:
    async with learner_server(web.get("/live", _mirror)) as port, _socket(site, port) as socket:
        assert socket.protocol == "chat"
        await socket.send_str("grüß dich")
        assert await socket.receive_str() == "grüß dich"
        await socket.send_bytes(b"x" * (MEGABYTE - 100))
        assert len(await socket.receive_bytes()) == 4 * (MEGABYTE - 100)
        await socket.send_str("bye")
        closed = await socket.receive()
        assert (closed.type, closed.data, closed.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "as asked")


@pytest.mark.parametrize(
    ("wrong", "status"), [({"Origin": "https://evil.example"}, 400), ({"Origin": "http://localhost:8000"}, 400), ({"Cookie": "a=1"}, 403)]
)
async def test_a_websocket_of_another_origin_or_person_is_refused(site: Site, wrong: dict[str, str], status: int) -> None:
    async with learner_server(web.get("/live", _mirror)) as port:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await _socket(site, port, **wrong)
        assert refused.value.status == status


async def test_a_server_that_takes_no_websocket_says_so(site: Site) -> None:
    async with learner_server() as port:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await _socket(site, port)
        assert refused.value.status == 404


async def test_one_machine_has_so_many_connections(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", 2)
    async with learner_server(web.get("/live", _mirror), web.get("/", _echo)) as port:
        async with _socket(site, port), _socket(site, port), site.ask(port) as answer:
            assert (answer.status, "Too many connections" in await answer.text()) == (503, True)
        await soon(lambda: connections.labs == {}, "both have closed")
        async with site.ask(port) as answer:
            assert answer.status == 200


async def test_a_request_counts_as_use(site: Site) -> None:
    await change(site.preview.sandbox, last_activity_at=timezone.now() - timedelta(hours=1))
    async with learner_server(web.get("/", _echo)) as port, site.ask(port) as answer:
        assert answer.status == 200

    async def used() -> bool:
        return timezone.now() - (await Sandbox.objects.aget()).last_activity_at < timedelta(minutes=1)

    await soon_true(used, "the row says so")
