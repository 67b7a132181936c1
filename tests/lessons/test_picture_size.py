import struct

import pytest

from lessons.references import picture_size

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"\x08\x06\x00\x00\x00"
BOMB = b'<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><svg viewBox="0 0 4 2"><text>&b;</text></svg>'


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (PNG, (640, 480)),
        (b'<?xml version="1.0"?><!-- a --><svg viewBox="0 0 40.4 20"/>', (40, 20)),
        (b'<svg viewBox="0,0,3,2">not closed', (3, 2)),
        (BOMB, (None, None)),
        (b'<svg width="10" height="10"/>', (None, None)),
        (b'<svg viewBox="a b c d"/>', (None, None)),
        (b'<svg viewBox="0 0 nan inf"/>', (None, None)),
        (PNG[:20], (None, None)),
        (b"\xff\xd8\xff\xe0 a JPEG", (None, None)),
        (b"", (None, None)),
    ],
)
def test_it_is_found_where_it_is_cheap(content: bytes, size: tuple[int | None, int | None]) -> None:
    assert picture_size(content) == size
