"""From outside: another site's page, another learner, nobody at all. (Who may open which terminal: tests/gateway/test_terminal.py.)"""

import os
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from channels.testing import WebsocketCommunicator
from django.test import Client

from playground.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)
PORT = f"http://8080-{'a' * 26}.localhost:8000".encode()
PATHS = (f"/ws/terminals/{uuid4()}", f"/ws/labs/{uuid4()}/")


async def _connected(path: str, *headers: tuple[bytes, bytes]) -> tuple[bool, int | None]:
    communicator = WebsocketCommunicator(application, path, headers=list(headers))
    connected, code = await communicator.connect(timeout=5)
    if connected:  # the gateway accepts, so that the browser learns the close code
        message = await communicator.receive_output(timeout=5)
        code = message.get("code")
    await communicator.disconnect()
    return connected, code


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [b"https://evil.example", b"http://localhost.evil.example", b"null", b"http://127.0.0.1.nip.io", PORT])
async def test_another_sites_page_opens_no_socket(path: str, origin: bytes) -> None:
    """Cross-site WebSocket hijacking. Source: RFC 6455 section 10.2."""
    assert (await _connected(path, (b"origin", origin)))[0] is False


@pytest.mark.parametrize("path", PATHS)
async def test_a_program_without_an_origin_opens_no_socket(path: str) -> None:
    assert (await _connected(path))[0] is False


@pytest.mark.parametrize("path", PATHS)
async def test_who_is_not_logged_in_is_told_so_and_gets_nothing(path: str) -> None:
    assert (await _connected(path, (b"origin", b"http://localhost:8000")))[1] == 4401


def test_another_sites_form_starts_no_lab() -> None:
    """Source: https://owasp.org/www-community/attacks/csrf."""
    assert Client(enforce_csrf_checks=True).post("/labs/", "{}", content_type="application/json").status_code == 403


def test_the_site_is_framed_by_nobody_and_runs_no_foreign_script() -> None:
    response = Client().get("/")
    policy = response.headers["Content-Security-Policy"]
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in policy
    assert "object-src 'none'" in policy
    script = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
    assert "unsafe" not in script
    assert "*" not in script


def test_a_machines_port_is_framed_and_no_other_page() -> None:
    policy = Client().get("/").headers["Content-Security-Policy"]
    assert "frame-src 'self' http://*.localhost:*;" in policy + ";"


def test_the_sites_cookies_stay_with_its_own_host(settings: Any) -> None:
    """A preview may share a parent domain with the site. Source: RFC 6265bis section 4.1.3."""
    assert settings.SESSION_COOKIE_DOMAIN is None
    assert settings.CSRF_COOKIE_DOMAIN is None
    assert settings.SESSION_COOKIE_HTTPONLY
    assert settings.SESSION_COOKIE_SAMESITE == "Lax"
    code = "from playground import settings as s; print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE)"
    behind_tls = {**os.environ, "PLAYGROUND_BEHIND_TLS": "true"}
    said = subprocess.run([sys.executable, "-c", code], env=behind_tls, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["__Host-playground-session", "__Host-playground-csrf", "True"]


def test_a_false_host_name_is_refused() -> None:
    assert Client().get("/", headers={"host": "evil.example"}).status_code == 400
