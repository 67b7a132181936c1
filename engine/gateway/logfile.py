"""conmon's log of a terminal, read as what it is: the one record of all output, with an exact byte offset for each byte.

The format is the Kubernetes log format: `<RFC 3339 time> stdout <P|F> <text>\\n`, where F says that the text's newline was the
terminal's own and P that the line goes on. conmon starts the file anew when it is large, under the same name; who has the old one open
reads it to its end and goes on with the new one, so nothing is lost and nothing comes twice.

Source: conmon's src/ctr_logging.c (write_k8s_log, reopen_k8s_file).
"""

import asyncio
import bisect
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHUNK = 128 << 10  # bytes of log read at once
MARK_EVERY = 1 << 20  # bytes of log
# A line begins with a time stamp of fixed width, with nanoseconds and zone. A terminal has no stderr.
STAMP, PARTIAL = 35, b" stdout P "
HEAD = STAMP + len(PARTIAL)
FULL = re.compile(rb"\n[^\n]{%d} stdout F " % STAMP)


def decode(log: bytes) -> tuple[bytes, int]:
    """Output in the complete lines of `log`, and how many bytes of `log` they take."""
    end = log.rfind(b"\n") + 1
    parts, at = [], 0
    while at < end:  # a run of full lines, then a partial one: that is what a flood looks like
        cut = log.find(PARTIAL, at, end)
        while cut >= 0 and cut != at + STAMP and log[cut - STAMP - 1 : cut - STAMP] != b"\n":  # the terminal printed what looks like it
            cut = log.find(PARTIAL, cut + 1, end)
        stop = cut - STAMP if cut >= 0 else end
        if at < stop:
            parts.append(b"\n".join(FULL.split(log[at + HEAD : stop])))
        if cut < 0:
            break
        at = log.index(b"\n", cut) + 1
        parts.append(log[cut + len(PARTIAL) : at - 1])
    return b"".join(parts), end


@dataclass(frozen=True)
class Segment:
    """One file of the log: its inode and first time stamp, which no later file has both, and the offset of its first byte in the stream."""

    inode: int
    base: int
    stamp: str = ""


class LogFile:
    """One file of the log, open."""

    def __init__(self, path: Path, base: int) -> None:
        """The file now at `path`, whose output begins at stream offset `base`. Raises FileNotFoundError, PermissionError."""
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self.descriptor).st_ino
        self.base = base
        self.marks = [(base, 0)]  # stream offset and position in the file of some lines, so that not everybody reads it from its start
        self.read = False
        self.closed = False

    @property
    def segment(self) -> Segment:
        first = os.pread(self.descriptor, STAMP, 0)
        return Segment(self.inode, self.base, first.decode(errors="replace") if len(first) == STAMP else "")

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self.descriptor)


class History:
    """The files of a log that are at hand: the one conmon writes and, once that has changed, the one before.

    Two and no more: a reader that is further behind goes on at the oldest byte of these, rather than keep deleted files on the disk.
    """

    def __init__(self, path: Path, base: int, begun: Callable[[Segment], None] = lambda _: None) -> None:
        """`begun` is told of each file that conmon begins, and again when it has a line. Raises FileNotFoundError, PermissionError."""
        self.path = path
        self.begun = begun
        self.files = [LogFile(path, base)]
        self.unreadable = False  # conmon has begun a file that is not for us to read yet

    @property
    def start(self) -> int:
        """Stream offset of the oldest byte at hand."""
        return self.files[0].base

    def cursor(self, offset: int | None = None) -> "LogCursor":
        """At `offset` or somewhat before; without it, or where it is not at hand, at the start of the newest file."""
        newest = self.files[-1]
        if offset is None or offset < self.start:
            return LogCursor(self, newest)
        return LogCursor(self, newest if offset >= newest.base else self.files[0], offset)

    async def end(self) -> int:
        """Stream offset of the end of what is at hand now, found without keeping the event loop from others."""
        scout = LogCursor(self, self.files[-1], self.files[-1].marks[-1][0])
        while scout.read():  # noqa: ASYNC110  # nothing is waited for
            await asyncio.sleep(0)
        return scout.offset

    def after(self, file: LogFile, offset: int, position: int) -> LogFile | None:
        """What to go on with at the end of `file`, which is stream offset `offset` and so many bytes of it; None while that is all."""
        if file is not self.files[-1]:
            return self.files[-1]
        try:
            if self.path.stat().st_ino == file.inode:
                return None
            successor = LogFile(self.path, offset)
        except FileNotFoundError:
            return None
        except PermissionError:
            self.unreadable = True
            return None
        if successor.inode == file.inode or os.pread(file.descriptor, 1, position):
            successor.close()  # conmon wrote once more before it changed files
            return file
        self.unreadable = False
        self.files.append(successor)
        if len(self.files) > 2:
            self.files.pop(0).close()
        self.begun(successor.segment)
        return successor

    def close(self) -> None:
        for file in self.files:
            file.close()


class LogCursor:
    """A place in a terminal's output. `offset` is the stream offset of the next byte that `read` returns."""

    def __init__(self, history: History, file: LogFile, offset: int = 0) -> None:
        self.history = history
        self._begin(file, offset)

    def _begin(self, file: LogFile, offset: int = 0) -> None:
        """At the last mark of `file` before `offset`, or at its start."""
        self.file = file
        self.offset, self.position = file.marks[max(0, bisect.bisect_right(file.marks, offset, key=lambda mark: mark[0]) - 1)]

    def read(self) -> bytes:
        """The next output, at most CHUNK bytes; empty when there is none yet. What is no longer at hand is left out: see `offset`."""
        if self.file.closed:
            self._begin(self.history.files[0])
        while True:
            raw = os.pread(self.file.descriptor, CHUNK, self.position)
            output, used = decode(raw)
            if used:
                if not self.file.read:
                    self.file.read = True
                    self.history.begun(self.file.segment)
                self.position += used
                self.offset += len(output)
                if self.position - self.file.marks[-1][1] >= MARK_EVERY:
                    self.file.marks.append((self.offset, self.position))
                if output:
                    return output
                continue
            successor = None if raw else self.history.after(self.file, self.offset, self.position)
            if successor is None:
                return b""
            if successor is not self.file:
                self._begin(successor)
