"""What lets a browser in: a token that is good once and for a minute, a link that its owner gives away, and the cookie both become.

All are signed by the site's key (django.core.signing) and name one port of one sandbox.
"""

import secrets
import time
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.cache import cache

from engine.preview.hosts import Place

ENTRY_LIFE = 60  # s
OWNER_LIFE = 12 * 3600  # s; then the site is asked again, which nobody sees
SHARE_LIFE = 3600  # s
ENTRY, SHARE, COOKIE = "preview.entry", "preview.share", "preview.cookie"


@dataclass(frozen=True)
class Pass:
    """The right to one port of one sandbox. `owner`: that user's own, else one that was given away. `expires`: seconds since the epoch."""

    port: int
    key: str
    epoch: int
    expires: int
    owner: int | None = None

    @property
    def expired(self) -> bool:
        return time.time() >= self.expires


class BadToken(Exception):
    """Signed by nobody, made for another port, too old, or used before."""


def _read(token: str, salt: str, place: Place) -> dict[str, Any]:
    try:
        content: dict[str, Any] = signing.loads(token, salt=salt)
    except signing.BadSignature as error:
        raise BadToken from error
    if (content.get("port"), content.get("key")) != (place.port, place.key):
        raise BadToken
    return content


def entry(place: Place, owner: int, epoch: int) -> str:
    """A token for the owner who was just checked; the preview's origin takes it once."""
    expires = int(time.time()) + OWNER_LIFE
    content = asdict(Pass(place.port, place.key, epoch, expires, owner)) | {"good": time.time() + ENTRY_LIFE}
    return signing.dumps(content | {"once": secrets.token_urlsafe(16)}, salt=ENTRY)


def take_entry(token: str, place: Place) -> Pass:
    """Raises BadToken; at the second call too. Raises redis.RedisError where it cannot be told whether it is the second."""
    content = _read(token, ENTRY, place)
    once, good = content.pop("once"), content.pop("good")
    if time.time() > good or not cache.add(f"preview.entry.{once}", 1, timeout=2 * ENTRY_LIFE):
        raise BadToken
    return Pass(**content)


def share(place: Place, epoch: int, expires: int) -> str:
    return signing.dumps(asdict(Pass(place.port, place.key, epoch, expires)), salt=SHARE)


def take_share(token: str, place: Place) -> Pass:
    """Raises BadToken, also for one that has expired."""
    found = Pass(**_read(token, SHARE, place))
    if found.expired:
        raise BadToken
    return found


def cookie_name() -> str:
    return "__Host-playground-preview" if _secure() else "playground-preview"


def _secure() -> bool:
    """Browsers take `Secure` cookies of https, and of localhost."""
    return settings.PREVIEW_SCHEME == "https" or settings.PREVIEW_HOST == "localhost"


def cookie(granted: Pass) -> str:
    """The Set-Cookie header's value. Host-only; and where it can be, good in a frame too, as a cookie of its own per framing site."""
    value = signing.dumps(asdict(granted), salt=COOKIE)
    age = max(0, granted.expires - int(time.time()))
    reach = "Secure; SameSite=None; Partitioned" if _secure() else "SameSite=Lax"
    return f"{cookie_name()}={value}; Path=/; Max-Age={age}; HttpOnly; {reach}"


def read_cookie(value: str, place: Place) -> Pass:
    """Raises BadToken. One that has expired is returned: whoever reads it says what was missed."""
    return Pass(**_read(value, COOKIE, place))
