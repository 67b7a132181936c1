"""conmon's log of a terminal, read as what it is: the one record of all output, with an exact byte offset for each byte.

The format is the Kubernetes log format: `<RFC 3339 time> stdout <P|F> <text>\\n`, where F says that the text's newline was the
terminal's own and P that the line goes on. conmon starts the file anew when it is large, under the same name; who has the old one open
reads it to its end and goes on with the new one, so nothing is lost and nothing comes twice.

Source: conmon's src/ctr_logging.c (write_k8s_log, reopen_k8s_file).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

CHUNK = 256 << 10  # bytes of log read at once
LINE = re.compile(rb"[^ \n]+ std(?:out|err) ([FP]) ([^\n]*)\n")


def decode(log: bytes) -> tuple[bytes, int]:
    """Output in the complete lines of `log`, and how many bytes of `log` they take."""
    end = log.rfind(b"\n") + 1
    parts = [text + b"\n" if kind == b"F" else text for kind, text in LINE.findall(log, 0, end)]
    return b"".join(parts), end


@dataclass(frozen=True)
class Segment:
    """One file of the log: its inode and the offset of its first byte of output in the whole stream."""

    inode: int
    base: int


class LogCursor:
    """A place in a terminal's output. `offset` is the stream offset of the next byte that `read` returns."""

    def __init__(self, path: Path, base: int) -> None:
        """At the start of the file now at `path`, whose output begins at stream offset `base`. Raises FileNotFoundError."""
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.segment = Segment(os.fstat(self.descriptor).st_ino, base)
        self.offset = base
        self.position = 0

    def read(self) -> bytes:
        """The next output, up to about CHUNK bytes; empty when there is none yet."""
        while True:
            raw = os.pread(self.descriptor, CHUNK, self.position)
            output, used = decode(raw)
            if used:
                self.position += used
                self.offset += len(output)
                if output:
                    return output
                continue
            if not raw and self._follow():
                continue
            return b""

    def end(self) -> int:
        """Stream offset of the end of what is in the file now; this cursor stays where it is."""
        offset, position = self.offset, self.position
        while raw := os.pread(self.descriptor, CHUNK, position):
            output, used = decode(raw)
            if not used:
                break
            offset += len(output)
            position += used
        return offset

    def _follow(self) -> bool:
        """Go on with the file that has taken this one's name, if one has."""
        try:
            successor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        if os.fstat(successor).st_ino == self.segment.inode:
            os.close(successor)
            return False
        if os.pread(self.descriptor, 1, self.position):  # conmon wrote once more before it changed files
            os.close(successor)
            return True
        os.close(self.descriptor)
        self.descriptor = successor
        self.segment = Segment(os.fstat(successor).st_ino, self.offset)
        self.position = 0
        return True

    def close(self) -> None:
        os.close(self.descriptor)
