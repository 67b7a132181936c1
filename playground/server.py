"""The web process: daphne on a uvloop event loop. `python -m playground.server`; arguments are daphne's own and win."""

import sys

import uvloop
from twisted.internet import asyncioreactor

# Before daphne is imported: it takes the reactor it finds and would install one on the slower default loop.
asyncioreactor.install(uvloop.new_event_loop())

from daphne.cli import CommandLineInterface  # noqa: E402

from playground.environment import env  # noqa: E402


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
