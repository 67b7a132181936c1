"""Which host name is which port of which sandbox."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.test import RequestFactory

from engine.preview import hosts
from engine.preview.app import local_path
from engine.preview.hosts import Place
from engine.preview.models import new_key

KEY = "abcdefghijklmnopqrstuvwxyz"


def test_a_key_fits_into_a_host_name_and_is_not_guessed() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(hosts.place_of(f"65535-{key}.localhost:8000") == Place(65535, key) for key in keys)
    assert all(len(f"65535-{key}") <= 63 for key in keys)


@pytest.mark.parametrize(
    "host",
    ["localhost", f"8080-{KEY}.example.org", f"0-{KEY}.localhost", f"65536-{KEY}.localhost", f"8080-{KEY}x.localhost", "8080-a.localhost",
     f"08-{KEY}.localhost", f"x.8080-{KEY}.localhost", f"8080-{KEY}.localhost.example.org", ""],
)  # fmt: skip
def test_other_names_are_no_port(host: str) -> None:
    assert hosts.place_of(host) is None


def test_the_site_below_the_same_domain_stays_the_site(settings: Any) -> None:
    settings.PREVIEW_HOST, settings.ALLOWED_HOSTS = "example.org", ["learn.example.org"]
    assert not hosts.is_preview("learn.example.org")
    assert hosts.is_preview(f"8080-{KEY}.example.org")


def test_a_preview_has_the_sites_port_without_tls_and_none_with_it(settings: Any) -> None:
    request = RequestFactory().get("/", headers={"host": "localhost:8000"})
    assert hosts.origin_of(Place(8080, KEY), request) == f"http://8080-{KEY}.localhost:8000"
    settings.PREVIEW_SCHEME, settings.PREVIEW_HOST = "https", "ports.example.org"
    assert hosts.origin_of(Place(8080, KEY), request) == f"https://8080-{KEY}.ports.example.org"
    settings.PREVIEW_PORT = "8443"
    assert hosts.origin_of(Place(8080, KEY), request) == f"https://8080-{KEY}.ports.example.org:8443"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "True"),
        ({"PLAYGROUND_BEHIND_TLS": "true"}, "False"),
        ({"PLAYGROUND_BIND": "0.0.0.0"}, "False"),
        ({"PLAYGROUND_BIND": "0.0.0.0", "PLAYGROUND_PREVIEW_HOST": "192.0.2.7.nip.io"}, "True"),
    ],
)
def test_a_site_that_others_reach_needs_a_name_that_they_can_resolve(changes: dict[str, str], shown: str) -> None:
    code = "from playground import settings; print(settings.PREVIEWS)"
    said = subprocess.run([sys.executable, "-c", code], env={**os.environ, **changes}, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == shown


def test_only_the_same_sandbox_may_open_a_websocket() -> None:
    place = Place(8080, KEY)
    assert hosts.same_lab(f"http://8080-{KEY}.localhost:8000", place)
    assert hosts.same_lab(f"http://3000-{KEY}.localhost:8000", place)
    for origin in ("", "null", "http://localhost:8000", f"https://8080-{KEY}.localhost", f"http://8080-{KEY[::-1]}.localhost:8000"):
        assert not hosts.same_lab(origin, place)


@pytest.mark.parametrize(
    "wished", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nSet-Cookie: x", "/__playground/enter"]
)
def test_nobody_is_sent_elsewhere(wished: str) -> None:
    assert local_path(wished) == "/"
