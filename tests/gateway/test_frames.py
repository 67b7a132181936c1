"""Frames of the terminal stream: what the browser may send, and what it gets."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.gateway import frames

ONE = st.integers(1, 1000)
U64 = st.integers(0, 2**64 - 1)


@given(st.binary())
def test_input_is_every_byte_after_the_type(data: bytes) -> None:
    assert frames.parse(b"\x00" + data) == frames.Input(data)


@given(ONE, ONE)
def test_resize_is_columns_then_rows(columns: int, rows: int) -> None:
    assert frames.parse(b"\x01" + columns.to_bytes(2, "big") + rows.to_bytes(2, "big")) == frames.Resize(columns, rows)


@given(U64)
def test_an_acknowledgement_is_an_offset(offset: int) -> None:
    assert frames.parse(b"\x02" + offset.to_bytes(8, "big")) == frames.Ack(offset)


@pytest.mark.parametrize(("columns", "rows"), [(0, 24), (80, 0), (1001, 24), (80, 1001), (65535, 65535)])
def test_an_impossible_window_is_refused(columns: int, rows: int) -> None:
    with pytest.raises(frames.BadFrame, match=f"{columns} x {rows}"):
        frames.parse(struct.pack(">BHH", 1, columns, rows))


@given(st.binary())
def test_whatever_comes_is_a_frame_or_refused(data: bytes) -> None:
    """Never another exception: each would be one a stranger can raise at will."""
    try:
        frame = frames.parse(data)
    except frames.BadFrame:
        fixed = {b"\x01": len(data) == 5, b"\x02": len(data) == 9, b"\x03": len(data) >= 9}
        valid = data[:1] == b"\x00" or fixed.get(data[:1], False)
        assert not valid or data[0] == 1, "only an impossible window may be refused at the right length"
    else:
        assert data[0] in {frames.Input: (0, 3), frames.Resize: (1,), frames.Ack: (2,)}[type(frame)]


@given(U64, st.binary())
def test_output_carries_the_offset_of_its_first_byte(offset: int, data: bytes) -> None:
    frame = frames.output(offset, data)
    assert (frame[0], int.from_bytes(frame[1:9], "big"), frame[9:]) == (0, offset, data)


@given(st.integers(-(2**31), 2**31 - 1))
def test_exit_carries_a_signed_status(status: int) -> None:
    assert struct.unpack(">Bi", frames.exited(status)) == (1, status)


@given(U64, st.binary())
def test_numbered_input_carries_the_offset_of_its_first_byte(offset: int, data: bytes) -> None:
    assert frames.parse(struct.pack(">BQ", 3, offset) + data) == frames.Input(data, offset)
    assert frames.taken(offset) == struct.pack(">BQ", 4, offset)


def test_notice_hello_and_view_are_json() -> None:
    assert json.loads(frames.notice("full", "größer", user="ada")[1:]) == {"kind": "full", "text": "größer", "user": "ada"}
    assert json.loads(frames.hello(1, 2, 3, {"columns": 80})[1:]) == {"version": 2, "start": 1, "end": 2, "input": 3, "columns": 80}
    assert json.loads(frames.view({"columns": 80})[1:]) == {"columns": 80}
    assert (frames.notice("a", "b")[0], frames.hello(0, 0, 0, {})[0], frames.view({})[0]) == (2, 3, 5)
