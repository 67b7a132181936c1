"""Names in a course's folder, and the names they have in addresses."""

import re

_NAME = re.compile(r"(?:\d+-)?([a-z0-9]+(?:-[a-z0-9]+)*)")


def slug_of(name: str) -> str | None:
    """`04-first-contact` -> `first-contact`; None if it cannot be part of an address."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None
