"""Reading conmon's log: every byte of the terminal once, in order, with its offset."""

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.gateway.logfile import CHUNK, LogCursor, Segment, decode
from engine.gateway.segments import EPOCH, Segments

STAMP = b"2026-11-24T21:59:12.614272828+00:00 stdout "


def written(output: bytes, sizes: list[int]) -> bytes:
    """What conmon writes for `output` that comes in pieces of `sizes` bytes: one line per newline or end of a piece."""
    log, pieces = b"", list(sizes)
    while output:
        size = pieces.pop(0) if pieces else len(output)
        piece, output = output[:size], output[size:]
        while piece:
            line, newline, piece = piece.partition(b"\n")
            log += STAMP + (b"F " if newline else b"P ") + line + b"\n"
    return log


OUTPUT = st.binary(max_size=400) | st.lists(st.sampled_from([b"\n", b"F ", b"P x\n", b"\x1b[0m", b" stdout F ", b"a"])).map(b"".join)
SIZES = st.lists(st.integers(1, 40), max_size=30)


@given(OUTPUT, SIZES)
def test_decoding_gives_back_what_the_terminal_printed(output: bytes, sizes: list[int]) -> None:
    log = written(output, sizes)
    assert decode(log) == (output, len(log))


@given(OUTPUT, SIZES, st.integers(min_value=0))
def test_a_line_that_is_still_being_written_waits(output: bytes, sizes: list[int], cut: int) -> None:
    log = written(output, sizes)
    log = log[: cut % (len(log) + 1)]
    text, used = decode(log)
    assert used == log.rfind(b"\n") + 1
    assert output.startswith(text)


def test_full_and_partial_lines() -> None:
    assert decode(STAMP + b"P $ \n" + STAMP + b"F ls\r\n" + STAMP + b"P cut o") == (b"$ ls\r\n", 2 * len(STAMP) + 5 + 6)
    assert decode(b"") == (b"", 0)
    assert decode(STAMP + b"F \n") == (b"\n", len(STAMP) + 3)


@settings(max_examples=60)
@given(OUTPUT, SIZES, st.lists(st.integers(0, 300), max_size=8))
def test_reading_while_it_is_written_loses_and_repeats_nothing(output: bytes, sizes: list[int], cuts: list[int]) -> None:
    log = written(output, sizes)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        path.touch()
        read, position = b"", 0
        with closing(LogCursor(path, 1000)) as cursor, path.open("ab", buffering=0) as file:
            for cut in [*cuts, len(log)]:
                file.write(log[position : position + cut])
                position += cut
                while data := cursor.read():
                    read += data
                    assert cursor.offset == 1000 + len(read)
            assert read == output
            assert cursor.end() == cursor.offset


@settings(max_examples=60)
@given(st.lists(OUTPUT, min_size=1, max_size=5))
def test_a_log_that_is_begun_anew_is_followed(outputs: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        path.write_bytes(written(outputs[0], []))
        read = b""
        with closing(LogCursor(path, 0)) as cursor:
            for number, output in enumerate(outputs[1:]):
                while data := cursor.read():
                    read += data
                beside = path.with_name(f"log.{number}")
                beside.write_bytes(written(output, []))
                beside.rename(path)
            while data := cursor.read():
                read += data
            assert read == b"".join(outputs)
            assert cursor.offset == len(read)


def test_what_was_written_last_to_the_old_file_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(written(b"one\n", []))
    with closing(LogCursor(path, 0)) as cursor, path.open("ab", buffering=0) as old:
        assert cursor.read() == b"one\n"
        (tmp_path / "new").write_bytes(written(b"three\n", []))
        (tmp_path / "new").rename(path)
        old.write(written(b"two\n", []))
        assert cursor.read() == b"two\n"
        assert cursor.read() == b"three\n"
        assert cursor.segment == Segment(path.stat().st_ino, 8)


def test_a_log_larger_than_one_read_comes_in_pieces(tmp_path: Path) -> None:
    path, output = tmp_path / "log", b"".join(b"line %d\r\n" % number for number in range(30_000))
    path.write_bytes(written(output, []))
    with closing(LogCursor(path, 0)) as cursor:
        assert cursor.end() == len(output)
        assert cursor.offset == 0, "asking for the end does not move"
        pieces = []
        while data := cursor.read():
            assert len(data) <= CHUNK
            pieces.append(data)
        assert b"".join(pieces) == output
        assert len(pieces) > 5


def test_offsets_go_on_when_the_gateway_starts_again(tmp_path: Path) -> None:
    log, memory = tmp_path / "log", tmp_path / "run" / "memory.json"
    log.write_bytes(written(b"first\n", []))
    with closing(Segments(memory).cursor(log)) as cursor:
        assert (cursor.read(), cursor.offset) == (b"first\n", 6)
        (tmp_path / "new").write_bytes(written(b"second\n", []))
        (tmp_path / "new").rename(log)
        assert (cursor.read(), cursor.offset) == (b"second\n", 13)
        Segments(memory).remember(cursor.segment)
    with closing(Segments(memory).cursor(log)) as again:
        assert (again.offset, again.read(), again.offset) == (6, b"second\n", 13)


def test_a_file_that_began_while_nobody_watched_gets_offsets_no_browser_holds(tmp_path: Path) -> None:
    log, memory = tmp_path / "log", tmp_path / "memory.json"
    log.write_bytes(written(b"first\n", []))
    assert Segments(memory).base_of(log) == 0
    for times in (1, 2):
        (tmp_path / "new").write_bytes(written(b"unseen\n", []))
        (tmp_path / "new").rename(log)
        assert Segments(memory).base_of(log) == times * EPOCH
        assert Segments(memory).base_of(log) == times * EPOCH, "asking twice changes nothing"
