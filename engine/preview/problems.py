"""What a preview says when it cannot show the port: a small page of its own, or plain text for a program."""

from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from engine.preview import hosts


@dataclass(frozen=True)
class Problem:
    """`text`: what to do; words in backquotes are what a person types. `status`: HTTP's."""

    status: int
    title: str
    text: str


NO_SUCH_NAME = Problem(404, "There is nothing at this address", "Open the port from the Ports menu beside your lesson.")
NO_MACHINE = Problem(404, "There is no machine here", "It has ended, and its ports with it. Start a fresh one beside your lesson.")
NOT_LET_IN = Problem(403, "Open this port from your lesson", "A machine is shown to its owner. Choose the port in its Ports menu.")
NOT_YOURS = Problem(403, "This machine is not yours", "It belongs to another person. Ask them for a link.")
LINK_OVER = Problem(403, "This link is over", "A link ends after an hour, or when the machine's owner takes it back. Ask for a new one.")
ONCE = Problem(403, "This address was used before", "It opens a port once. Choose the port in the Ports menu again.")
NO_COOKIE = Problem(403, "Your browser did not keep the cookie", "It shows that the machine is yours. Allow it, or open the port in a tab.")
ELSEWHERE = Problem(502, "This machine runs on another node", "Only that node can show its ports. Ask the port from the terminal.")
TOO_MANY = Problem(503, "Too many connections", "This machine has as many open as it may have. Close some of its pages, then reload.")
TOO_LARGE = Problem(413, "This upload is too large", "A request may carry 1 GiB.")
BAD_REQUEST = Problem(400, "This request cannot be passed on", "Its method, address or origin is none that a preview takes.")
NOT_SET_UP = Problem(404, "This site does not show ports", "Its operator has set no host name for them (PLAYGROUND_PREVIEW_HOST).")
AGAIN = Problem(503, "The site could not look whether this is you", "Reload in a moment.")


def nothing_listens(port: int) -> Problem:
    return Problem(502, f"Nothing listens on port {port}", "Start your server, then reload.")


def only_inside(port: int) -> Problem:
    text = f"The server on port {port} listens on 127.0.0.1, where only the machine itself reaches it. Start it on `0.0.0.0`, then reload."
    return Problem(502, "Your server cannot be reached from outside", text)


def silent(port: int) -> Problem:
    return Problem(504, f"Port {port} does not answer", "What listens there takes no connection. Look at your server, then reload.")


def not_http(port: int) -> Problem:
    return Problem(502, f"Port {port} does not speak HTTP", "What listens there sent no answer that a browser understands, or hung up.")


def no_websocket(port: int, status: int) -> Problem:
    return Problem(status if 400 <= status < 600 else 502, f"Port {port} took no WebSocket", f"Your server answered with status {status}.")


def response(problem: Problem, scope: dict[str, Any]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Header and body. Nothing of it runs, and only the site may frame it."""
    if "text/html" in hosts.header(scope, b"accept"):
        context = {"problem": problem, "parts": problem.text.split("`")}
        kind, body = "text/html", str(render_to_string("engine/preview_problem.html", context))
    else:
        kind, body = "text/plain", f"{problem.title}. {problem.text}\n"
    policy = f"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors {hosts.framers()}"
    header = {
        "content-type": f"{kind}; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return [(name.encode(), value.encode()) for name, value in header.items()], body.encode()
