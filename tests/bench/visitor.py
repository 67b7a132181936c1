"""A browser's part of a click, without the browser: HTTP with cookies, and the terminal's WebSocket."""

import http.client
import json
import re
import time
from typing import Any
from urllib.parse import urlencode

from websockets.sync.client import connect
from websockets.typing import Origin

from engine.gateway.frames import INPUT, OUTPUT

PROMPT = re.compile(rb"root@lab")
HEADER = 9  # bytes before the data of an output frame


class Visitor:
    """One signed-in account on one kept-alive connection, as a browser has it."""

    def __init__(self, port: int, name: str, password: str) -> None:
        self.port = port
        self.origin = Origin(f"http://127.0.0.1:{port}")
        self.cookies: dict[str, str] = {}
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._request("GET", "/accounts/login/")
        self._request("POST", "/accounts/login/", urlencode({"login": name, "password": password}), "application/x-www-form-urlencoded")
        assert "playground-session" in self.cookies, f"{name} could not sign in"

    def _request(self, method: str, path: str, body: str = "", kind: str = "application/json") -> bytes:
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Content-Type": kind,
            "X-CSRFToken": self.cookies.get("playground-csrf", ""),
        }
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        for value in response.headers.get_all("Set-Cookie") or ():
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        data = response.read()
        assert response.status < 400, f"{method} {path}: {response.status} {data[:300]!r}"
        return data

    def post(self, path: str, **values: Any) -> dict[str, Any]:
        return dict(json.loads(self._request("POST", path, json.dumps(values))))

    def click(self, lesson: str) -> tuple[float, dict[str, Any]]:
        """Start the lesson's lab; returns seconds until the first byte of its prompt, and the lab."""
        begun = time.perf_counter()
        lab = self.post("/labs/", lesson=lesson)
        while not lab["terminals"]:
            lab = self._wait_for_change(lab)
        url = f"ws://127.0.0.1:{self.port}{lab['terminals'][0]['path']}"
        with connect(url, additional_headers=self.socket_headers(), origin=self.origin) as socket:
            while True:
                frame = socket.recv(timeout=30)
                if isinstance(frame, bytes) and frame[0] == OUTPUT and PROMPT.search(frame):
                    return time.perf_counter() - begun, lab

    def command(self, lab: dict[str, Any], line: str) -> float:
        """Type a command at the lab's terminal; returns seconds until it has ended, with success."""
        url = f"ws://127.0.0.1:{self.port}{lab['terminals'][0]['path']}"
        with connect(url, additional_headers=self.socket_headers(), origin=self.origin) as socket:
            begun = time.perf_counter()
            socket.send(bytes([INPUT]) + f"{line} && echo the-'end'\r".encode())
            heard = b""
            while b"the-end" not in heard:
                frame = socket.recv(timeout=60)
                heard += frame[HEADER:] if isinstance(frame, bytes) and frame[0] == OUTPUT else b""
            return time.perf_counter() - begun

    def _wait_for_change(self, lab: dict[str, Any]) -> dict[str, Any]:
        """As the page does: hear on the lab's WebSocket that it runs."""
        url = f"ws://127.0.0.1:{self.port}/ws/labs/{lab['id']}/"
        with connect(url, additional_headers=self.socket_headers(), origin=self.origin) as socket:
            while True:
                heard = json.loads(socket.recv(timeout=60))["lab"]
                assert heard["end"] is None, heard["end"]
                if heard["terminals"]:
                    return dict(heard)

    def socket_headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def stop(self, lab: dict[str, Any]) -> float:
        """Stop it; returns seconds until the engine says that nothing of it is left."""
        begun = time.perf_counter()
        self.post(f"/labs/{lab['id']}/stop/")
        while json.loads(self._request("GET", f"/labs/{lab['id']}/"))["state"] not in ("stopped", "failed"):
            time.sleep(0.005)
        return time.perf_counter() - begun
