"""Who gets to a port: its owner by way of the site, whoever has a link, and nobody else."""

import asyncio
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import Client

from engine.models import Node, Preview
from engine.preview import sharing, tokens
from engine.preview.connections import labs
from tests.preview.conftest import Site, change, learner_server

pytestmark = pytest.mark.django_db(transaction=True)
PORT = 8080


@sync_to_async
def _asks_the_site(user: User | None, path: str) -> Any:
    client = Client(headers={"host": "localhost:8000"})
    if user is not None:
        client.force_login(user)
    return client.get(path)


@sync_to_async
def _signs_out(user: User) -> None:
    client = Client()
    client.force_login(user)
    client.post("/accounts/logout/")


async def test_it_works(site: Site, ada: User) -> None:
    """From the site to the preview: a token that is good once becomes a cookie, and the cookie opens the port."""
    answer = await _asks_the_site(ada, f"{site.preview.path}{PORT}/?next=/a%3Fb=1")
    there = urlsplit(answer.headers["Location"])
    assert (answer.status_code, there.hostname) == (302, site.place(PORT).name)
    host = {"Host": site.host(PORT)}
    async with site.ask(PORT, f"{there.path}?{there.query}", headers=host) as entered:
        cookie = entered.headers["Set-Cookie"].partition(";")[0]
        assert entered.status == 303
    async with site.ask(PORT, entered.headers["Location"], headers=host | {"Cookie": cookie}) as arrived:
        assert (arrived.status, arrived.headers["Location"]) == (303, "/a?b=1")
    async with site.ask(PORT, f"{there.path}?{there.query}", headers=host) as again:
        assert (again.status, "used before" in await again.text()) == (403, True)


async def test_without_cookies_a_browser_is_not_sent_in_a_circle(site: Site) -> None:
    async with site.ask(PORT, "/__playground/arrived?next=/", headers={"Host": site.host(PORT)}) as answer:
        assert (answer.status, "cookie" in await answer.text()) == (403, True)


async def test_the_site_lets_nobody_else_through(site: Site) -> None:
    bob = await sync_to_async(User.objects.create_user)("bob", is_staff=True)
    assert "/accounts/login/" in (await _asks_the_site(None, f"{site.preview.path}{PORT}/")).headers["Location"]
    refused = await _asks_the_site(bob, f"{site.preview.path}{PORT}/")
    assert (refused.status_code, "This machine is not yours" in refused.content.decode()) == (403, True)
    assert (await _asks_the_site(bob, f"/ports/{'a' * 26}/{PORT}/")).status_code == 404
    assert (await _asks_the_site(bob, f"{site.preview.path}65536/")).status_code == 404


async def test_who_comes_without_a_cookie_is_sent_to_the_site_or_refused(site: Site) -> None:
    host = {"Host": site.host(PORT)}
    async with site.ask(PORT, "/a?b=1", headers=host | {"Accept": "text/html"}) as page:
        there = urlsplit(page.headers["Location"])
        assert (page.status, there.path, parse_qs(there.query)) == (303, f"{site.preview.path}{PORT}/", {"next": ["/a?b=1"]})
    for more in ({"Accept": "*/*"}, {"Accept": "text/html", "Sec-Fetch-Mode": "cors"}):
        async with site.ask(PORT, headers=host | more) as program:
            assert (program.status, "Location" in program.headers) == (403, False)


async def test_a_pass_is_for_one_port_of_one_machine_and_one_owner(site: Site) -> None:
    other = await sync_to_async(User.objects.create_user)("bob")
    async with learner_server() as port:
        for granted in (
            site.pass_for(port + 1),
            site.pass_for(port, key="b" * 26),
            site.pass_for(port, owner=other.pk),
            site.pass_for(port, expires=1),
            site.pass_for(port, epoch=1),
        ):
            async with site.ask(port, headers=site.headers(port, granted)) as answer:
                assert answer.status == 403
        forged = site.headers(port)
        forged["Cookie"] = forged["Cookie"][:-1] + ("a" if forged["Cookie"][-1] != "a" else "b")
        async with site.ask(port, headers=forged) as answer:
            assert answer.status == 403
        async with site.ask(port) as answer:
            assert answer.status == 404  # the learner's own


async def test_a_machine_that_ended_or_runs_elsewhere_says_so(site: Site) -> None:
    await change(site.preview.sandbox, state="stopping")
    async with site.ask(PORT) as answer:
        assert (answer.status, "It has ended" in await answer.text()) == (404, True)
    node = await sync_to_async(Node.objects.create)(name="elsewhere")
    await change(site.preview.sandbox, state="running", node=node)
    async with site.ask(PORT) as answer:
        assert (answer.status, "another node" in await answer.text()) == (502, True)


async def test_signing_out_ends_the_visit(site: Site, ada: User) -> None:
    async with learner_server() as port:
        await _signs_out(ada)
        async with site.ask(port) as answer:
            assert answer.status == 403


async def test_a_link_opens_the_port_for_anybody_until_it_is_over(site: Site, rf: Any) -> None:
    made = await sync_to_async(sharing.link)(rf.get("/"), site.preview.sandbox, PORT)
    there = urlsplit(made["url"])
    host = {"Host": site.host(PORT)}
    async with site.ask(PORT, f"{there.path}?{there.query}", headers=host) as entered:
        cookie = {"Cookie": entered.headers["Set-Cookie"].partition(";")[0]}
    async with site.ask(PORT, headers=host | cookie) as answer:
        assert answer.status == 502  # let in: nothing listens
    async with site.ask(PORT + 1, headers={"Host": site.host(PORT + 1)} | cookie) as other:
        assert other.status == 403
    await sync_to_async(sharing.take_back)(site.preview.sandbox)
    for headers, path in ((host | cookie, "/"), (host, f"{there.path}?{there.query}")):
        async with site.ask(PORT, path, headers=headers) as over:
            assert (over.status, "This link is over" in await over.text()) == (403, True)
    expired = tokens.share(site.place(PORT), 1, int(time.time()) - 1)
    async with site.ask(PORT, f"/__playground/enter?link={expired}", headers=host) as late:
        assert (late.status, "This link is over" in await late.text()) == (403, True)


def test_a_link_lives_no_longer_than_its_machine(preview: Preview, rf: Any) -> None:
    preview.sandbox.lifetime_seconds = 600
    made = sharing.link(rf.get("/"), preview.sandbox, PORT)
    assert made["expires_at"][:16] == preview.sandbox.deadline_at.isoformat()[:16]


async def test_what_goes_on_when_the_machine_ends_is_cut(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def events(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.Event().wait()
        return answer

    monkeypatch.setattr("engine.preview.connections.LOOK_EVERY", 0.05)
    async with learner_server(web.get("/", events)) as port, site.ask(port) as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        await change(site.preview.sandbox, state="stopping")
        assert await answer.content.read() == b""
    assert labs == {}
