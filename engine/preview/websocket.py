"""A WebSocket to a learner's server: messages both ways, each read when the other end has taken the one before."""

import asyncio
from typing import Any

import aiohttp
from aiohttp import WSMsgType
from yarl import URL

from engine.gateway.activity import Activity
from engine.preview import fields, hosts, http, problems
from engine.preview.access import Refused, Visit
from engine.preview.connections import carried
from engine.preview.http import Receive, Send
from engine.side_by_side import until_first

MESSAGE_MAX = 16 << 20  # bytes, from the learner's server; a browser's may have 1 MiB (playground/server.py)
GOING_AWAY, NO_STATUS, ABNORMAL = 1001, 1005, 1006
NEVER_SENT = (None, NO_STATUS, ABNORMAL)  # RFC 6455 section 7.4.1


async def forward(scope: dict[str, Any], receive: Receive, send: Send, visit: Visit) -> None:
    """Raises Refused while the browser's handshake has not been answered."""
    target = http.address(visit, scope, "ws")
    # A page of another site carries no cookie of this one, and is refused all the same (RFC 6455 section 10.2).
    if target is None or not hosts.same_lab(hosts.header(scope, b"origin"), visit.place):
        raise Refused(problems.BAD_REQUEST)
    work = asyncio.create_task(_exchange(scope, receive, send, visit, target))
    try:
        await asyncio.wait((work,))
    finally:
        work.cancel()
    if work.cancelled():
        await send({"type": "websocket.close", "code": GOING_AWAY})
    else:
        work.result()


async def _exchange(scope: dict[str, Any], receive: Receive, send: Send, visit: Visit, target: URL) -> None:
    headers = fields.to_server(scope["headers"], visit.place, (scope.get("client") or ("",))[0])
    async with carried(visit) as activity, http.session() as asking:
        try:
            server = await asking.ws_connect(
                target, protocols=scope["subprotocols"], headers=headers, max_msg_size=MESSAGE_MAX, autoclose=False
            )
        except aiohttp.WSServerHandshakeError as error:
            raise Refused(problems.no_websocket(visit.place.port, error.status)) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Refused(http.problem_of(error, visit)) from error
        async with server:
            await send({"type": "websocket.accept", "subprotocol": server.protocol})
            await until_first(_to_server(receive, server, activity), _to_browser(server, send))


async def _to_server(receive: Receive, server: aiohttp.ClientWebSocketResponse, activity: Activity) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code")
            await server.close(code=GOING_AWAY if code in NEVER_SENT else code, message=(message.get("reason") or "").encode())
            return
        activity.note()
        try:
            if message.get("text") is not None:
                await server.send_str(message["text"])
            elif message.get("bytes") is not None:
                await server.send_bytes(message["bytes"])
        except (aiohttp.ClientError, OSError):  # it has closed: the other pump hears how
            return


async def _to_browser(server: aiohttp.ClientWebSocketResponse, send: Send) -> None:
    while True:
        message = await server.receive()
        match message.type:
            case WSMsgType.TEXT:
                await send({"type": "websocket.send", "text": message.data})
            case WSMsgType.BINARY:
                await send({"type": "websocket.send", "bytes": message.data})
            case WSMsgType.CLOSE:
                code = GOING_AWAY if message.data in (NO_STATUS, ABNORMAL, 0) else message.data
                await send({"type": "websocket.close", "code": code, "reason": message.extra or ""})
                return
            case _:  # the connection broke
                await send({"type": "websocket.close", "code": GOING_AWAY})
                return
