"""A terminal's log as text: what a person would have copied from the screen, and nothing that a screen does not show."""

from pathlib import Path

import pytest

from engine.gateway.transcript import ROWS, UNFINISHED_MAX, PlainText, transcript


def plain(*pieces: str | bytes) -> str:
    text = PlainText()
    return "".join(text.feed(piece if isinstance(piece, bytes) else piece.encode()) for piece in pieces) + text.finish()


def test_it_works(tmp_path: Path) -> None:
    log = tmp_path / "log"
    at = "2026-01-01T00:00:00.000000000+00:00 stdout"
    log.write_text(f"{at} P \x1b[1;32mroot@lab\x1b[0m:~# \n{at} F ls\r\n{at} F \x1b[34mgr\u00fc\u00dfe\x1b[0m\r\n")
    assert "".join(transcript(log)) == "root@lab:~# ls\ngr\u00fc\u00dfe\n"


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("\x1b]0;title\x07seen\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "seenlink\n"),
        ("\x1b[?2004h\x1b(Bls\x1b[K\x1b[?2004l", "ls\n"),
        ("10%\r20%\r100%\r\n", "100%\n"),
        ("sl\b\bls\r\n", "ls\n"),
        ("abc\b\b\x1b[Pd\r\n", "ad\n"),
        ("long line\rshort\x1b[K\r\n", "short\n"),
        ("a: 1\r\nb: 1\r\n\x1b[2A\x1b[2Ka: 2\r\n\x1b[2Kb: 2\r\n", "a: 2\nb: 2\n"),
        ("before\r\n\x1b[?1049hvim\x1b[2;2H~\r\n~\x1b[?1049lafter\r\n", "before\nafter\n"),
        ("text\r\n\x1b7\x1b[24;1HProgress: 50%\x1b8more\r\n", "text\nmore\n"),
        ("\x1bPq#0;2\x1b\\picture", "picture\n"),
        ("\x1b[999999999Cfar", " " * 4096 + "far\n"),
        ("a\tb\x07c\x00\x9b", "a       bc\n"),
    ],
)
def test_what_the_screen_shows_is_kept(printed: str, kept: str) -> None:
    assert plain(printed) == kept


def test_a_command_longer_than_the_screen_is_wide_is_one_line() -> None:
    """readline prints a space and a return where the cursor meets the right margin."""
    assert plain("\x1b]133;A\x07$ \x1b]133;B\x07echo 1234 \r5678\r\n\x1b]133;C\x0750% \rdone\r\n") == "$ echo 12345678\ndone\n"


def test_it_may_come_in_any_pieces() -> None:
    printed = "\x1b[1mb\u00f6ld\x1b[0m \x1b]0;t\x07x\r\n".encode()
    assert plain(*(printed[at : at + 1] for at in range(len(printed)))) == plain(printed) == "b\u00f6ld x\n"


def test_a_sequence_that_never_ends_hides_no_more_than_itself() -> None:
    text = PlainText()
    held = "\x1b]0;" + "x" * UNFINISHED_MAX
    assert text.feed(held.encode()) == ""
    assert text.finish().rstrip("\n").endswith("x" * 1000)


def test_lines_come_as_they_are_finished() -> None:
    """Memory holds ROWS lines, however many there are."""
    text = PlainText()
    first = text.feed(b"".join(b"%d\r\n" % number for number in range(ROWS + 50)))
    assert first.startswith("0\n1\n")
    assert first.count("\n") == 51
