"""What of a header goes through, and what does not."""

from typing import Any

import pytest

from engine.preview import fields, tokens
from engine.preview.hosts import Place

PLACE = Place(8080, "abcdefghijklmnopqrstuvwxyz")


def test_the_server_gets_its_host_and_none_of_our_cookies() -> None:
    cookies = f"{tokens.cookie_name()}=a; sessionid=theirs; playground-session=b; playground-csrf=c".encode()
    got = fields.to_server(
        [(b"host", b"8080-x.localhost:8000"), (b"cookie", cookies), (b"x-forwarded-for", b"6.6.6.6")], PLACE, "192.0.2.1"
    )
    assert got["Host"] == got["X-Forwarded-Host"] == "8080-x.localhost:8000"
    assert got["Cookie"] == "sessionid=theirs"
    assert got.getall("X-Forwarded-For") == ["192.0.2.1"]


def test_what_is_between_two_hops_stays_there() -> None:
    sent = [(b"connection", b"keep-alive, X-Mine"), (b"x-mine", b"1"), (b"te", b"trailers"), (b"upgrade", b"h2c"), (b"x-other", b"2")]
    assert "X-Other" in fields.to_server(sent, PLACE, "")
    assert not {"Connection", "X-Mine", "TE", "Upgrade"} & {name.title() for name in fields.to_server(sent, PLACE, "")}
    assert [name for name, _ in fields.to_browser([*sent, (b"Transfer-Encoding", b"chunked")])] == [b"x-other", b"content-security-policy"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"a=1; Domain=localhost; Path=/", b"a=1; Path=/"),
        (b"a=1;DOMAIN = .example.org;Secure", b"a=1;Secure"),
        (b"domain=1; Path=/", b"domain=1; Path=/"),
        (b"a=1; HttpOnly", b"a=1; HttpOnly"),
    ],
)
def test_a_cookie_stays_with_its_own_host(sent: bytes, kept: bytes) -> None:
    assert (b"set-cookie", kept) in fields.to_browser([(b"Set-Cookie", sent)])


def test_no_server_can_set_our_cookie() -> None:
    assert b"set-cookie" not in dict(fields.to_browser([(b"Set-Cookie", f"{tokens.cookie_name()}=x".encode())]))


def test_the_site_alone_may_frame_it_and_is_not_reached_by_its_header() -> None:
    hostile = [(b"Clear-Site-Data", b'"cookies"'), (b"Alt-Svc", b'h3="evil.example:443"'), (b"X-Frame-Options", b"DENY")]
    (name, value), *more = fields.to_browser(hostile)
    assert (name, more) == (b"content-security-policy", [])
    assert value.startswith(b"frame-ancestors 'self' http://localhost:*")


def test_our_cookie_is_of_this_host_alone_and_no_script_reads_it(settings: Any) -> None:
    cookie = tokens.cookie(tokens.Pass(8080, PLACE.key, 0, 1 << 40, 1))
    assert cookie.startswith("__Host-playground-preview=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=None", "Partitioned"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    settings.PREVIEW_HOST = "class.example"  # without TLS a browser would not take it
    assert "Secure" not in tokens.cookie(tokens.Pass(8080, PLACE.key, 0, 1 << 40, 1))
