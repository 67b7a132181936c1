"""What a terminal has printed, as plain text: escape sequences removed, and lines as they stood when the cursor left them.

A small terminal of ROWS lines: enough for what people see in a shell's scrollback (a progress bar is its last state, a corrected command
line is the corrected one). What full-screen programs draw on the alternate screen is left out.

Source: xterm's ctlseqs for the sequences; OSC 133 marks as the images' shell prints them.
"""

import codecs
import os
import re
from collections.abc import Iterator
from pathlib import Path

from engine.gateway.logfile import History

ROWS = 100  # lines that a program may still go back to
COLUMNS = 4096  # farthest a cursor can be moved by a sequence
LINE_MAX = 65_536  # characters; a longer line is broken here
UNFINISHED_MAX = 65_536  # characters of a sequence whose end has not come: more is none

TOKEN = re.compile(
    r"\x1b\[(?P<arguments>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1b[PX^_][^\x1b]*\x1b\\"
    r"|\x1b[ -/]*(?P<escape>[0-OQ-WYZ\\`-~])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9f])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)
ALTERNATE = {"?47", "?1047", "?1049"}


class PlainText:
    """`feed` with output as it comes; it returns the lines that are finished. `finish` returns the rest."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0
        self._saved = (0, 0)
        self._aside = False  # the text is not part of the scrollback: alternate screen, a status line
        self._typing = False  # between the prompt and the command's output

    def feed(self, data: bytes, *, final: bool = False) -> str:
        text = self._rest + self._decoder.decode(data, final)
        self._rest, position = "", 0
        finished: list[str] = []
        while position < len(text):
            token = TOKEN.match(text, position)
            if token is None:  # an escape sequence whose end has not come
                if not final and len(text) - position <= UNFINISHED_MAX:
                    self._rest = text[position:]
                    break
                position += 1
                continue
            position = token.end()
            self._take(token)
            while len(self._rows) > ROWS:
                finished.append("".join(self._rows.pop(0)).rstrip() + "\n")
                self._row = max(0, self._row - 1)
        return "".join(finished)

    def finish(self) -> str:
        finished = self.feed(b"", final=True)
        lines = ["".join(row).rstrip() for row in self._rows]
        return finished + "\n".join(lines).rstrip("\n") + "\n"

    def _take(self, token: "re.Match[str]") -> None:
        match token.lastgroup:
            case "text":
                self._write(token["text"])
            case "control":
                self._control(token["control"])
            case "final":
                self._sequence(token["arguments"], token["final"])
            case "osc":
                if token["osc"].startswith("133;"):
                    self._typing = token["osc"][4:5] == "B"
            case "escape":
                if token["escape"] == "7":
                    self._saved = (self._row, self._column)
                elif token["escape"] == "8":
                    (self._row, self._column), self._aside = self._saved, False
                    self._row = min(self._row, len(self._rows) - 1)

    def _write(self, text: str) -> None:
        if self._aside:
            return
        line = self._rows[self._row]
        if len(line) < self._column:
            line.extend(" " * (self._column - len(line)))
        line[self._column : self._column + len(text)] = text
        self._column += len(text)
        if self._column > LINE_MAX:
            self._down()
            self._column = 0

    def _control(self, character: str) -> None:
        if self._aside:
            return
        line = self._rows[self._row]
        match character:
            case "\n" | "\v" | "\f":
                self._down()
            case "\r" if self._typing and self._column == len(line) > 0 and line[-1] == " " and self._column > 1:
                # readline at the right margin: a space and a return put the cursor on the next line, and it is one command all the same
                line.pop()
                self._column -= 1
            case "\r":
                self._column = 0
            case "\b":
                self._column = max(0, self._column - 1)
            case "\t":
                self._column = min(self._column // 8 * 8 + 8, max(COLUMNS, len(line)))

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append([])

    def _sequence(self, arguments: str, final: str) -> None:
        if final in "hl" and set(arguments.split(";")) & ALTERNATE:
            self._aside = final == "h"
            return
        if final in "Hf" and self._saved != (0, 0):
            self._aside = True  # a status line: written at a place of the screen, between "save" and "restore" of the cursor
        if self._aside or arguments[:1] in ("?", ">", "<", "="):
            return
        first = arguments.split(";")[0]
        count = min(int(first), COLUMNS) if first.isdigit() else 0
        line, many = self._rows[self._row], count or 1
        match final:
            case "A" | "F":
                self._row = max(0, self._row - many)
            case "B" | "E":
                self._row = min(len(self._rows) - 1, self._row + many)
            case "C":
                self._column = min(self._column + many, max(COLUMNS, len(line)))
            case "D":
                self._column = max(0, self._column - many)
            case "G":
                self._column = many - 1
            case "P":
                del line[self._column : self._column + many]
            case "@":
                line[self._column : self._column] = " " * many
            case "X":
                line[self._column : self._column + many] = " " * min(many, max(0, len(line) - self._column))
            case "K":
                self._erase(line, count)
            case "J" if count == 0:
                self._erase(line, 0)
                for below in self._rows[self._row + 1 :]:
                    below.clear()
        if final in "EF":
            self._column = 0

    def _erase(self, line: list[str], which: int) -> None:
        if which == 0:
            del line[self._column :]
        elif which == 2:
            line.clear()
        else:
            end = min(self._column + 1, len(line))
            line[:end] = " " * end


def transcript(log: Path) -> Iterator[str]:
    """The text of a terminal's log as it is kept now, in pieces. Raises FileNotFoundError."""
    history, text = History(log, 0), PlainText()
    cursor = history.cursor()
    file, end = cursor.file, os.fstat(cursor.file.descriptor).st_size  # a program that prints for ever must not make an endless text
    try:
        while cursor.file is file and cursor.position < end and (data := cursor.read()):
            yield text.feed(data)
        yield text.finish()
    finally:
        history.close()
