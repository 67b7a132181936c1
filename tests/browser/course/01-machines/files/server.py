"""A learner's server on port 8080: a page, events and a WebSocket that echoes, with nothing but Python's own library."""

import base64
import hashlib
import http.server
import time

PAGE = """<!doctype html><title>Shop</title><h1>The shop is open</h1>
<p>Cookies of the page: <output id=cookies></output></p><p>Cookies the server got: <output>COOKIES</output></p>
<p>Events: <output id=events></output></p><p>Socket: <output id=socket></output></p>
<script>
document.cookie = "wide=1; Domain=" + location.hostname.split(".").slice(1).join(".");
document.querySelector("#cookies").value = document.cookie || "none";
const events = new EventSource("/events");
events.onmessage = (event) => (document.querySelector("#events").value += event.data);
const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket");
socket.onopen = () => socket.send("echo me");
socket.onmessage = (event) => (document.querySelector("#socket").value = event.data);
</script>"""


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        {"/events": self.events, "/socket": self.socket}.get(self.path, self.page)()

    def page(self) -> None:
        body = PAGE.replace("COOKIES", self.headers.get("Cookie", "none")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "planted=1; Domain=localhost")
        self.end_headers()
        self.wfile.write(body)

    def events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(1, 1000):
            self.wfile.write(b"data: %d\n\n" % number)
            self.wfile.flush()
            time.sleep(0.2 if number < 3 else 60)

    def socket(self) -> None:
        accept = hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        head = self.rfile.read(2)
        mask = self.rfile.read(4)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(head[1] & 127)))
        self.wfile.write(bytes((0x81, len(text))) + text)
        self.rfile.read(1)


http.server.ThreadingHTTPServer(("", 8080), Shop).serve_forever()
