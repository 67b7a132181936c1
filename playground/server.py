"""The web process: daphne on a uvloop event loop. `python -m playground.server`; arguments are daphne's own and win."""

import sys
from typing import Any

import uvloop
from twisted.internet import asyncioreactor

# Before daphne is imported: it takes the reactor it finds and would install one on the slower default loop.
asyncioreactor.install(uvloop.new_event_loop())

import daphne.server  # noqa: E402
from daphne.cli import CommandLineInterface  # noqa: E402
from daphne.ws_protocol import WebSocketFactory  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402

from playground.database import hold_log  # noqa: E402
from playground.environment import env  # noqa: E402

MESSAGE_MAX = 1 << 20  # bytes: a page sends 16 KiB at most; what is larger would be held in memory whole


class BoundedWebSockets(WebSocketFactory):  # type: ignore[misc]  # daphne has no types
    """Daphne has no option for the largest message, and autobahn's default is none."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.setProtocolOptions(maxFramePayloadSize=MESSAGE_MAX, maxMessagePayloadSize=MESSAGE_MAX)


daphne.server.WebSocketFactory = BoundedWebSockets
connection_created.connect(hold_log)


def arguments(given: list[str]) -> list[str]:
    """Daphne's command line: our defaults, then what was given, then the application."""
    defaults = [
        *("--bind", env.bind, "--port", str(env.port)),
        *("--verbosity", "0"),
        # A terminal may be silent for hours; pings find the dead ones.
        *("--websocket_timeout", "-1", "--ping-interval", "20", "--ping-timeout", "30"),
        *("--server-name", "playground"),
        *(["--proxy-headers"] if env.behind_tls else []),
    ]
    return [*defaults, *given, "playground.asgi:application"]


if __name__ == "__main__":
    CommandLineInterface().run(arguments(sys.argv[1:]))
