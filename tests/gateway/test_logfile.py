"""Reading conmon's log: every byte of the terminal once, in order, with its offset."""

import asyncio
import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.gateway.logfile import CHUNK, History, LogCursor, Segment, decode
from engine.gateway.segments import EPOCH, Segments

STAMP = b"2026-11-24T21:59:12.614272828+00:00 stdout "
LATER = b"2026-11-24T21:59:13.000000001+00:00 stdout "


def written(output: bytes, sizes: list[int]) -> bytes:
    """What conmon writes for `output` that comes in pieces of `sizes` bytes: a line per newline or end of a piece, a stamp per piece."""
    log, pieces, stamps = b"", list(sizes), itertools.cycle((STAMP, LATER, STAMP))
    while output:
        stamp = next(stamps)
        size = pieces.pop(0) if pieces else len(output)
        piece, output = output[:size], output[size:]
        while piece:
            line, newline, piece = piece.partition(b"\n")
            log += stamp + (b"F " if newline else b"P ") + line + b"\n"
    return log


@contextmanager
def reading(path: Path, base: int, begun: Callable[[Segment], None] = lambda _: None) -> Iterator[LogCursor]:
    with closing(History(path, base, begun)) as history:
        yield history.cursor()


def begin_anew(path: Path, log: bytes) -> None:
    """As conmon does: beside, then renamed."""
    path.with_name("log.tmp").write_bytes(log)
    path.with_name("log.tmp").rename(path)


# Among it what somebody prints who knows our log.
PRINTED = [b"\n", b"F ", b"P x\n", b"\x1b[0m", b" stdout F ", b" stdout P ", STAMP + b"P x", LATER + b"F ", b"a"]
OUTPUT = st.binary(max_size=400) | st.lists(st.sampled_from(PRINTED)).map(b"".join)
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
        with reading(path, 1000) as cursor, path.open("ab", buffering=0) as file:
            for cut in [*cuts, len(log)]:
                file.write(log[position : position + cut])
                position += cut
                while data := cursor.read():
                    read += data
                    assert cursor.offset == 1000 + len(read)
            assert read == output
            assert asyncio.run(cursor.history.end()) == cursor.offset


@settings(max_examples=60)
@given(st.lists(OUTPUT, min_size=1, max_size=5))
def test_a_log_that_is_begun_anew_is_followed(outputs: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        path.write_bytes(written(outputs[0], []))
        read = b""
        with reading(path, 0) as cursor:
            for output in outputs[1:]:
                while data := cursor.read():
                    read += data
                begin_anew(path, written(output, []))
            while data := cursor.read():
                read += data
            assert read == b"".join(outputs)
            assert cursor.offset == len(read)


def test_what_was_written_last_to_the_old_file_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(written(b"one\n", []))
    with reading(path, 0) as cursor, path.open("ab", buffering=0) as old:
        assert cursor.read() == b"one\n"
        begin_anew(path, written(b"three\n", []))
        old.write(written(b"two\n", []))
        assert cursor.read() == b"two\n"
        assert cursor.read() == b"three\n"
        assert cursor.file.segment == Segment(path.stat().st_ino, 8, STAMP[:35].decode())


def test_a_log_larger_than_one_read_comes_in_pieces(tmp_path: Path) -> None:
    path, lines = tmp_path / "log", [b"line %d\r\n" % number for number in range(30_000)]
    path.write_bytes(b"".join(written(line, []) for line in lines))
    output = b"".join(lines)
    with reading(path, 0) as cursor:
        assert asyncio.run(cursor.history.end()) == len(output)
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
    with closing(Segments(memory).history(log)) as history:
        cursor = history.cursor()
        assert (cursor.read(), cursor.offset) == (b"first\n", 6)
        begin_anew(log, written(b"second\n", []))
        assert (cursor.read(), cursor.offset) == (b"second\n", 13)
    with closing(Segments(memory).history(log)) as history:
        again = history.cursor()
        assert (again.offset, again.read(), again.offset) == (6, b"second\n", 13)


def test_a_file_that_began_while_nobody_watched_gets_offsets_no_browser_holds(tmp_path: Path) -> None:
    log, memory = tmp_path / "log", tmp_path / "memory.json"
    log.write_bytes(written(b"first\n", []))
    assert Segments(memory).base_of(log) == 0
    for times in (1, 2):
        begin_anew(log, written(b"unseen\n", []))
        assert Segments(memory).base_of(log) == times * EPOCH
        assert Segments(memory).base_of(log) == times * EPOCH, "asking twice changes nothing"


def test_a_file_system_that_uses_an_inode_again_does_not_pass_off_a_new_file_as_the_old_one(tmp_path: Path) -> None:
    log, memory = tmp_path / "log", tmp_path / "memory.json"
    log.write_bytes(written(b"first\n", []))
    assert Segments(memory).base_of(log) == 0
    log.write_bytes(written(b"later\n", []).replace(b"21:59", b"22:00"))
    assert Segments(memory).base_of(log) == EPOCH


def test_who_is_two_files_behind_goes_on_at_the_oldest_byte_kept(tmp_path: Path) -> None:
    """Files nobody needs but a browser that sleeps would fill the disk."""
    log = tmp_path / "log"
    log.write_bytes(written(b"one\n", []))
    with closing(History(log, 0)) as history:
        slow, quick = history.cursor(), history.cursor()
        for text in (b"one\n", b"two\n", b"three\n"):
            assert quick.read() == text
            begin_anew(log, written({b"one\n": b"two\n", b"two\n": b"three\n", b"three\n": b"four\n"}[text], []))
        assert quick.read() == b"four\n"
        assert (slow.read(), slow.offset) == (b"three\n", 14)
        assert (slow.read(), slow.offset) == (b"four\n", 19)
        assert history.cursor(9).offset == 8, "who comes back to the file before is served from there"
        assert history.cursor(3).offset == 14, "who asks for what is gone, from the newest"


def test_a_late_one_does_not_read_it_all_again(tmp_path: Path) -> None:
    path, lines = tmp_path / "log", [b"line %d\r\n" % number for number in range(100_000)]
    path.write_bytes(b"".join(written(line, []) for line in lines))
    output = b"".join(lines)
    with closing(History(path, 0)) as history:
        first = history.cursor()
        while first.read():
            pass
        late = history.cursor(len(output) - 100)
        assert 0 < len(output) - late.offset < 1 << 20
        text, start = b"", late.offset
        while data := late.read():
            text += data
        assert text == output[start:]
