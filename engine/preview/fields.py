"""Header fields on their way through. What is between two hops, the site's or ours stays here; the rest passes as it came.

Sources: RFC 9110 section 7.6.1 (hop-by-hop), RFC 6265 section 5.2.3 (Domain), Clear Site Data section 3.1, RFC 7838 (Alt-Svc).
"""

from collections.abc import Iterable

from django.conf import settings
from multidict import CIMultiDict

from engine.preview import hosts, tokens
from engine.preview.hosts import Place

Fields = list[tuple[bytes, bytes]]

HOP_BY_HOP = {
    *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization"),
    *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
}
# A browser or a proxy said these of the way to us; we say our own.
OF_THE_WAY = {b"expect", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port", b"x-real-ip"}
HANDSHAKE = {b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-protocol"}
# Of the answer: our server writes Date; Clear-Site-Data would reach the site where both have one parent domain; Alt-Svc leads past us;
# X-Frame-Options would keep a learner's page from standing beside the lesson (frame-ancestors says who may, instead).
NOT_BACK = {b"date", b"clear-site-data", b"alt-svc", b"x-frame-options"}


def _hop_by_hop(fields: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    named = [value for name, value in fields if name.lower() == b"connection"]
    return HOP_BY_HOP | {token.strip().lower() for value in named for token in value.split(b",")}


def _text(value: bytes) -> str:
    """As aiohttp will encode it again."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _others_cookies(header: bytes) -> bytes:
    """A Cookie header without the site's cookies and ours."""
    ours = {name.encode() for name in (tokens.cookie_name(), settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)}
    parts = [part.strip() for part in header.split(b";")]
    return b"; ".join(part for part in parts if part and part.partition(b"=")[0].strip() not in ours)


def to_server(fields: Fields, place: Place, client: str) -> "CIMultiDict[str]":
    """What the learner's server gets of a request."""
    kept: CIMultiDict[str] = CIMultiDict()
    dropped = _hop_by_hop(fields) | OF_THE_WAY | HANDSHAKE
    for name, value in fields:
        if name in dropped:
            continue
        if name == b"cookie":
            value = _others_cookies(value)
            if not value:
                continue
        kept.add(name.decode("latin-1"), _text(value))
    kept["X-Forwarded-For"] = client
    kept["X-Forwarded-Proto"] = settings.PREVIEW_SCHEME
    kept["X-Forwarded-Host"] = kept.get("host", place.name)
    return kept


def to_browser(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """What the browser gets of an answer. Cookies stay with this one host, and none is named like ours."""
    fields = list(fields)
    dropped = _hop_by_hop(fields) | NOT_BACK
    kept: Fields = []
    for name, value in fields:
        lower = name.lower()
        if lower in dropped:
            continue
        if lower == b"set-cookie":
            if value.partition(b"=")[0].strip() == tokens.cookie_name().encode():
                continue
            pair, *attributes = value.split(b";")
            value = b";".join([pair, *(part for part in attributes if part.partition(b"=")[0].strip().lower() != b"domain")])
        kept.append((lower, value))
    kept.append((b"content-security-policy", f"frame-ancestors {hosts.framers()}".encode()))
    return kept
