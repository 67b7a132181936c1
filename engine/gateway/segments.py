"""Where each file of a terminal's log begins in its stream, remembered across restarts of the gateway."""

import json
import os
from pathlib import Path
from uuid import UUID

from django.conf import settings

from engine.gateway.logfile import LogCursor, Segment

# A file nobody watched begin: its place in the stream is unknown. It gets one that no browser can hold, so that each draws afresh.
EPOCH = 1 << 40


def memory_of(terminal_id: UUID) -> Path:
    """The file in which the gateway keeps a terminal's newest segment; the worker removes it with the sandbox."""
    return Path(settings.STATE) / "run" / "gateway" / f"{terminal_id.hex}.json"


class Segments:
    """The newest known segment of one terminal, in a file of the gateway's own."""

    def __init__(self, memory: Path) -> None:
        self.memory = memory

    def base_of(self, log: Path) -> int:
        """Stream offset at which the file now at `log` begins. Raises FileNotFoundError when there is no log."""
        inode = log.stat().st_ino
        known = self._known()
        if known is None:
            self.remember(Segment(inode, 0))
            return 0
        if known.inode == inode:
            return known.base
        base = (known.base // EPOCH + 1) * EPOCH
        self.remember(Segment(inode, base))
        return base

    def _known(self) -> Segment | None:
        try:
            return Segment(**json.loads(self.memory.read_text()))
        except FileNotFoundError:
            return None

    def remember(self, segment: Segment) -> None:
        """Keep it for the next gateway. Written beside and renamed: a killed gateway leaves the old one whole."""
        self.memory.parent.mkdir(parents=True, exist_ok=True)
        beside = self.memory.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps({"inode": segment.inode, "base": segment.base}))
        beside.rename(self.memory)

    def cursor(self, log: Path) -> LogCursor:
        """A cursor at the oldest byte kept."""
        return LogCursor(log, self.base_of(log))
