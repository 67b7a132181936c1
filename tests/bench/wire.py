"""The client of the terminal measurements: the same WebSocket for ours, ttyd and terminado, which differ in what their messages hold.

It is made to cost next to nothing, so that what is measured is the server: a blocking socket, and no more of RFC 6455 than a server sends.
"""

import base64
import contextlib
import json
import os
import select
import socket
import struct
from dataclasses import dataclass
from typing import Protocol

from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from engine.gateway.frames import ACK, INPUT, OUTPUT

ACK_EVERY = 64 << 10  # bytes, as the page does
HEADER = 9  # bytes before the data of our output frame
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Wire:
    """One WebSocket, client side. `receive` gives whole messages."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fixed = {
            "Host": f"127.0.0.1:{port}",
            "Origin": f"http://127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (fixed | headers).items()), "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(65536)
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        self.buffer = bytearray(rest)
        self.message = b""

    def fileno(self) -> int:
        return self.socket.fileno()

    def heard(self, seconds: float) -> bool:
        """Whether something comes within so many seconds."""
        return bool(select.select([self.socket], [], [], seconds)[0])

    def send(self, payload: bytes, kind: int = BINARY) -> None:
        """One message. Its mask is zero: a client has to have one, and this one costs nobody anything."""
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0x80 | 126, size)
        self.socket.sendall(bytes([0x80 | kind]) + length + b"\0\0\0\0" + payload)

    def fill(self) -> None:
        """Take what has come; waits where nothing has."""
        data = self.socket.recv(1 << 20)
        assert data, "the server hung up"
        self.buffer += data

    def receive(self) -> list[bytes]:
        """The whole messages that have come."""
        messages, at, buffer = [], 0, self.buffer
        while len(buffer) - at >= 2:
            first, size, begin = buffer[at], buffer[at + 1], at + 2
            if size >= 126:
                wide = 2 if size == 126 else 8
                if len(buffer) < begin + wide:
                    break
                size, begin = int.from_bytes(buffer[begin : begin + wide], "big"), begin + wide
            if len(buffer) < begin + size:
                break
            payload, at = bytes(memoryview(buffer)[begin : begin + size]), begin + size
            kind = first & 15
            assert kind != CLOSE, payload
            if kind == PING:
                self.send(payload, PONG)
            elif kind < CLOSE:
                self.message += payload
                if first & 0x80:
                    messages.append(self.message)
                    self.message = b""
        del buffer[:at]
        return messages

    def close(self) -> None:
        self.socket.close()


class LibraryWire:
    """The same on the websockets library, whose reading thread costs about what a browser does before a script hears of a message."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        protocols = [Subprotocol(headers.pop("Sec-WebSocket-Protocol"))] if "Sec-WebSocket-Protocol" in headers else None
        origin = Origin(f"http://127.0.0.1:{port}")
        url = f"ws://127.0.0.1:{port}{path}"
        self.socket = connect(url, origin=origin, additional_headers=headers, subprotocols=protocols, compression=None, max_size=None)
        self.messages: list[bytes] = []

    def send(self, payload: bytes, kind: int = BINARY) -> None:
        self.socket.send(payload, text=kind == TEXT)

    def fileno(self) -> int:
        return self.socket.socket.fileno()

    def heard(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            self.fill(seconds)
        return bool(self.messages)

    def fill(self, seconds: float = 60) -> None:
        if not self.messages:
            message = self.socket.recv(timeout=seconds)
            self.messages.append(message.encode() if isinstance(message, str) else message)

    def receive(self) -> list[bytes]:
        messages, self.messages = self.messages, []
        return messages

    def close(self) -> None:
        self.socket.close()


class Terminal(Protocol):
    """A terminal behind a Wire: `type` keys, `read` what was printed (as long as nothing has, it waits)."""

    wire: Wire | LibraryWire

    def type(self, keys: bytes) -> None: ...

    def read(self) -> bytes: ...


@dataclass
class Ours:
    wire: Wire | LibraryWire
    acknowledged: int = 0

    def type(self, keys: bytes) -> None:
        self.wire.send(bytes([INPUT]) + keys)

    def read(self) -> bytes:
        self.wire.fill()
        printed = []
        for message in self.wire.receive():
            if message[0] == OUTPUT:
                printed.append(message[HEADER:])
                end = int.from_bytes(message[1:HEADER], "big") + len(message) - HEADER
                if end - self.acknowledged >= ACK_EVERY:
                    self.acknowledged = end
                    self.wire.send(struct.pack(">BQ", ACK, end))
        return b"".join(printed)


@dataclass
class Ttyd:
    wire: Wire | LibraryWire

    def __post_init__(self) -> None:
        self.wire.send(json.dumps({"AuthToken": "", "columns": 80, "rows": 24}).encode())

    def type(self, keys: bytes) -> None:
        self.wire.send(b"0" + keys)

    def read(self) -> bytes:
        self.wire.fill()
        return b"".join(message[1:] for message in self.wire.receive() if message[:1] == b"0")


@dataclass
class Terminado:
    wire: Wire | LibraryWire

    def type(self, keys: bytes) -> None:
        self.wire.send(json.dumps(["stdin", keys.decode()]).encode(), TEXT)

    def read(self) -> bytes:
        self.wire.fill()
        messages = [json.loads(message) for message in self.wire.receive()]
        return b"".join(message[1].encode() for message in messages if message[0] == "stdout")
