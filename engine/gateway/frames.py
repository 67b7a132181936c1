"""Frames of the terminal stream (docs/terminal-protocol.md): one type byte, integers big-endian."""

import json
import struct
from dataclasses import dataclass

INPUT, RESIZE, ACK = 0, 1, 2
OUTPUT, EXIT, NOTICE, HELLO = 0, 1, 2, 3

NORMAL, NOT_LOGGED_IN, NOT_YOURS, NO_SUCH_TERMINAL, ENDED, TOO_MUCH, TRY_AGAIN = 1000, 4401, 4403, 4404, 4410, 1009, 1011


class BadFrame(Exception):
    """The browser sent something that is no frame of this protocol."""


@dataclass(frozen=True)
class Input:
    data: bytes


@dataclass(frozen=True)
class Resize:
    columns: int
    rows: int


@dataclass(frozen=True)
class Ack:
    offset: int


def parse(frame: bytes) -> Input | Resize | Ack:
    """A frame from the browser. Raises BadFrame."""
    try:
        kind, body = frame[0], frame[1:]
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


def notice(kind: str, text: str) -> bytes:
    return bytes([NOTICE]) + json.dumps({"kind": kind, "text": text}).encode()


def hello(start: int, end: int, columns: int, rows: int) -> bytes:
    return bytes([HELLO]) + json.dumps({"start": start, "end": end, "columns": columns, "rows": rows}).encode()
