"""A preview on real sockets: the site's web server in front, a learner's server behind it on this host instead of in a sandbox."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db.models import Model

from engine.models import Preview
from engine.preview import app, tokens
from engine.preview.hosts import Place
from engine.preview.tokens import Pass
from playground import server
from tests.engine import paper
from tests.waiting import soon


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def preview(ada: User) -> Preview:
    """Of a sandbox of Ada's that runs; its address is this host."""
    return Preview.objects.create(sandbox=paper.sandbox(ada, paper.node()), address="127.0.0.1")


class Site:
    """A browser's way to the previews of one sandbox."""

    def __init__(self, port: int, preview: Preview, asking: aiohttp.ClientSession) -> None:
        self.port, self.preview, self.asking = port, preview, asking

    def place(self, port: int) -> Place:
        return Place(port, self.preview.key)

    def host(self, port: int) -> str:
        return f"{self.place(port).name}:{self.port}"

    def pass_for(self, port: int, **changes: object) -> Pass:
        wished = {"port": port, "key": self.preview.key, "epoch": 0, "expires": 1 << 40, "owner": self.preview.sandbox.owner_id}
        return Pass(**(wished | changes))  # type: ignore[arg-type]

    def headers(self, port: int, granted: Pass | None = None) -> dict[str, str]:
        cookie = tokens.cookie(granted or self.pass_for(port)).partition(";")[0]
        return {"Host": self.host(port), "Cookie": cookie}

    def ask(self, port: int, path: str = "/", method: str = "GET", **options: object) -> "aiohttp.client._RequestContextManager":
        """A request with the owner's cookie, unless `headers` are given."""
        options.setdefault("headers", self.headers(port))
        return self.asking.request(method, f"http://127.0.0.1:{self.port}{path}", allow_redirects=False, **options)  # type: ignore[arg-type]


@pytest.fixture
async def site(preview: Preview) -> AsyncIterator[Site]:
    """The previews behind the web server of the site, with its settings, on a free port."""
    config = server.config()
    config.app, config.port, config.host, config.loop = app.preview, 0, "127.0.0.1", "none"
    running = uvicorn.Server(config)
    task = asyncio.create_task(running._serve())
    await soon(lambda: running.started or task.done(), "the web server starts")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as asking:
        yield Site(running.servers[0].sockets[0].getsockname()[1], preview, asking)
    running.should_exit = running.force_exit = True
    await asyncio.wait_for(task, 10)


@contextlib.asynccontextmanager
async def learner_server(*routes: web.RouteDef) -> AsyncIterator[int]:
    """What a learner runs in the sandbox; yields its port."""
    application = web.Application(client_max_size=0)
    application.add_routes(routes)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    place = web.TCPSite(runner, "127.0.0.1", 0)
    await place.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@sync_to_async
def change(row: Model, **columns: Any) -> None:
    """Set columns of a row from a coroutine."""
    type(row)._default_manager.filter(pk=row.pk).update(**columns)
