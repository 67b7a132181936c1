"""Previews: a plain ASGI application for every host name below the preview host. `by_host` puts it beside the site.

The site's cookies, sessions and middleware have no part in it. What lets a browser in: `engine.preview.access`.
"""

from typing import Any
from urllib.parse import parse_qs, urlencode

import redis
from django.urls import reverse

from engine.preview import access, hosts, http, problems, tokens, websocket
from engine.preview.access import Refused
from engine.preview.hosts import Place
from engine.preview.http import Receive, Send
from engine.preview.problems import Problem
from engine.preview.tokens import BadToken

# The two paths of a preview's origin that are ours. Everything else is the learner's server's.
ENTER, ARRIVED = "/__playground/enter", "/__playground/arrived"

Application = Any  # an ASGI callable


def by_host(site: Application, previews: Application) -> Application:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and hosts.is_preview(hosts.header(scope, b"host")):
            await previews(scope, receive, send)
        else:
            await site(scope, receive, send)

    return application


async def preview(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """One request or one WebSocket to a port of a sandbox."""
    answered = False

    async def noting(message: dict[str, Any]) -> None:
        nonlocal answered
        answered = True
        await send(message)

    if scope["type"] == "websocket":
        await receive()  # websocket.connect
    place = hosts.place_of(hosts.header(scope, b"host"))
    if place is None:
        await _refuse(scope, send, problems.NO_SUCH_NAME)
        return
    try:
        if scope["type"] == "websocket":
            await websocket.forward(scope, receive, noting, await access.visit(place, _cookies(scope)))
        elif scope["path"] == ENTER:
            await _enter(scope, noting, place)
        elif scope["path"] == ARRIVED:
            await _arrived(scope, noting, place)
        else:
            await http.forward(scope, receive, noting, await access.visit(place, _cookies(scope)))
    except Refused as refused:
        if answered:
            return
        if refused.enter and _is_navigation(scope):
            await _redirect(send, await _gate(scope, place))
        else:
            await _refuse(scope, send, refused.problem)


def _cookies(scope: dict[str, Any]) -> str:
    return "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")


def _is_navigation(scope: dict[str, Any]) -> bool:
    """Whether a person opens a page here: only they can be sent to the site and come back."""
    mode = hosts.header(scope, b"sec-fetch-mode")
    wants_page = mode == "navigate" if mode else "text/html" in hosts.header(scope, b"accept")
    return scope["type"] == "http" and scope["method"] == "GET" and wants_page


async def _gate(scope: dict[str, Any], place: Place) -> str:
    """Where the site looks whether this browser's user may come in."""
    path = scope["raw_path"].decode("latin-1") + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
    site = await access.site_of(place)
    return f"{site or hosts.default_site_origin(scope)}{reverse('port', args=(place.key, place.port))}?{urlencode({'next': path})}"


async def _enter(scope: dict[str, Any], send: Send, place: Place) -> None:
    """Take the site's token or a link, and turn it into this origin's cookie. Raises Refused."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    token, link = (query.get(name, [""])[0] for name in ("token", "link"))
    try:
        granted = tokens.take_share(link, place) if link else tokens.take_entry(token, place)
    except BadToken:
        raise Refused(problems.LINK_OVER if link else problems.ONCE) from None
    except (redis.RedisError, OSError):
        raise Refused(problems.AGAIN) from None
    await access.check(place, granted)
    arrived = f"{ARRIVED}?{urlencode({'next': local_path(query.get('next', ['/'])[0])})}"
    await _redirect(send, arrived, (b"set-cookie", tokens.cookie(granted).encode()))


async def _arrived(scope: dict[str, Any], send: Send, place: Place) -> None:
    """Look whether the cookie was kept, so that nobody is sent in a circle. Raises Refused."""
    try:
        await access.visit(place, _cookies(scope))
    except Refused as refused:
        raise Refused(problems.NO_COOKIE if refused.enter else refused.problem) from None
    await _redirect(send, local_path(parse_qs(scope["query_string"].decode("latin-1")).get("next", ["/"])[0]))


def local_path(wished: str) -> str:
    """A path of this origin, whatever was asked for: `//host` and `/\\host` would lead elsewhere."""
    safe = wished.startswith("/") and not wished.startswith(("//", "/\\")) and wished.isascii() and wished.isprintable()
    return wished if safe and not wished.startswith("/__playground/") else "/"


async def _redirect(send: Send, to: str, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"location", to.encode()), (b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": [*headers, *more]})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: dict[str, Any], send: Send, problem: Problem) -> None:
    headers, body = problems.response(problem, scope)
    kind = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 4403})
            return
        kind = "websocket.http.response"
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{kind}.start", "status": problem.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})
