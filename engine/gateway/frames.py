"""Frames of the terminal stream (docs/terminal-protocol.md): one type byte, integers big-endian."""

import json
import struct
from dataclasses import dataclass
from typing import Any

VERSION = 2
INPUT, RESIZE, ACK, TYPED = 0, 1, 2, 3
OUTPUT, EXIT, NOTICE, HELLO, TAKEN, VIEW = 0, 1, 2, 3, 4, 5

# Close codes. Those of RFC 6455 below 3000 but 1000 are not for applications: autobahn refuses to send them.
NORMAL, BAD_FRAME, NOT_LOGGED_IN, NOT_YOURS, NO_SUCH_TERMINAL, REPLACED, ENDED, TOO_MUCH, TRY_AGAIN = (
    *(1000, 4400, 4401, 4403, 4404, 4409, 4410, 4413),
    4503,
)


class BadFrame(Exception):
    """The browser sent something that is no frame of this protocol."""


@dataclass(frozen=True, slots=True)
class Input:
    """Keys, with the place of the first in all that this client has typed; None from one that does not count."""

    data: bytes
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Resize:
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Ack:
    offset: int


def parse(frame: bytes) -> Input | Resize | Ack:
    """A frame from the browser. Raises BadFrame."""
    try:
        kind, body = frame[0], frame[1:]
        if kind == TYPED:
            return Input(body[8:], *struct.unpack(">Q", body[:8]))
        if kind == INPUT:
            return Input(body)
        if kind == RESIZE:
            columns, rows = struct.unpack(">HH", body)
            if not (1 <= columns <= 1000 and 1 <= rows <= 1000):
                raise BadFrame(f"a terminal of {columns} x {rows}")
            return Resize(columns, rows)
        if kind == ACK:
            return Ack(*struct.unpack(">Q", body))
    except (IndexError, struct.error) as error:
        raise BadFrame(f"a frame of {len(frame)} bytes") from error
    raise BadFrame(f"type {frame[0]}")


def output(offset: int, data: bytes) -> bytes:
    return struct.pack(">BQ", OUTPUT, offset) + data


def exited(status: int) -> bytes:
    return struct.pack(">Bi", EXIT, status)


def taken(offset: int) -> bytes:
    return struct.pack(">BQ", TAKEN, offset)


def notice(kind: str, text: str, **more: Any) -> bytes:
    return _told(NOTICE, {"kind": kind, "text": text} | more)


def hello(start: int, end: int, typed: int, view: dict[str, Any]) -> bytes:
    return _told(HELLO, {"version": VERSION, "start": start, "end": end, "input": typed} | view)


def view(view: dict[str, Any]) -> bytes:
    return _told(VIEW, view)


def _told(kind: int, body: dict[str, Any]) -> bytes:
    return bytes([kind]) + json.dumps(body).encode()
