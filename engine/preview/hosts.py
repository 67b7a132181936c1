"""The names that previews live under: `<port>-<key>.<PREVIEW_HOST>`, one origin for each port of each sandbox."""

import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port

LABEL = re.compile(r"(?P<port>[1-9]\d{0,4})-(?P<key>[a-z2-7]{26})")
MOST_PORT = 65535


@dataclass(frozen=True)
class Place:
    """One port of one sandbox."""

    port: int
    key: str

    @property
    def name(self) -> str:
        return f"{self.port}-{self.key}.{settings.PREVIEW_HOST}"


def header(scope: dict[str, Any], name: bytes) -> str:
    """The first header of that (lower-case) name in an ASGI scope; empty where there is none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def is_preview(host: str) -> bool:
    """Whether a Host header names something below the preview host, and not the site."""
    name, _ = split_domain_port(host.lower())
    return name.endswith(f".{settings.PREVIEW_HOST}") and name not in settings.ALLOWED_HOSTS


def place_of(host: str) -> Place | None:
    """What a Host header names, if it is a port of a sandbox."""
    name, _ = split_domain_port(host.lower())
    label = LABEL.fullmatch(name.removesuffix(f".{settings.PREVIEW_HOST}"))
    if not is_preview(host) or label is None or int(label["port"]) > MOST_PORT:
        return None
    return Place(int(label["port"]), label["key"])


def same_lab(origin: str, place: Place) -> bool:
    """Whether an Origin header names this port or another of the same sandbox."""
    scheme, sign, host = origin.partition("://")
    other = place_of(host)
    return bool(sign) and scheme == settings.PREVIEW_SCHEME and other is not None and other.key == place.key


def origin_of(place: Place, request: HttpRequest) -> str:
    """The origin of a preview, for somebody who is at the site by this request. Without TLS both have one port."""
    port = settings.PREVIEW_PORT
    if not port and settings.PREVIEW_SCHEME == "http":
        _, port = split_domain_port(request.get_host())
    return f"{settings.PREVIEW_SCHEME}://{place.name}" + (f":{port}" if port else "")


def site_origin(request: HttpRequest) -> str:
    return f"{settings.PREVIEW_SCHEME}://{request.get_host()}"


def default_site_origin(scope: dict[str, Any]) -> str:
    """The site's address for a browser that comes to a preview from nowhere."""
    _, port = split_domain_port(header(scope, b"host"))
    shown = f":{port}" if port and settings.PREVIEW_SCHEME == "http" else ""
    return f"{settings.PREVIEW_SCHEME}://{settings.ALLOWED_HOSTS[0]}{shown}"


def framers() -> str:
    """The site's own origins, as a frame-ancestors list: nobody else may show a preview in a frame. CSP cannot name IPv6 addresses."""
    names = [host for host in settings.ALLOWED_HOSTS if not host.startswith("[")]
    return " ".join(["'self'", *(f"{settings.PREVIEW_SCHEME}://{name}:*" for name in names)])
