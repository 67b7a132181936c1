"""Where each file of a terminal's log begins in its stream, remembered across restarts of the gateway."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings

from engine.gateway.logfile import History, LogFile, Segment

# A file nobody watched begin: its place in the stream is unknown. It gets one that no browser can hold, so that each draws afresh.
EPOCH = 1 << 40

log = structlog.get_logger(__name__)


def memory_of(terminal_id: UUID) -> Path:
    """The file in which the gateway keeps a terminal's newest segment; the worker removes it with the sandbox."""
    return Path(settings.STATE) / "run" / "gateway" / f"{terminal_id.hex}.json"


class Segments:
    """The newest known segment of one terminal, in a file of the gateway's own."""

    def __init__(self, memory: Path) -> None:
        self.memory = memory

    def base_of(self, log: Path) -> int:
        """Stream offset at which the file now at `log` begins. Raises FileNotFoundError, PermissionError."""
        file = LogFile(log, 0)
        try:
            now = file.segment
        finally:
            file.close()
        known = self._known()
        if known is None:
            base = 0
        elif known.inode == now.inode and known.stamp in ("", now.stamp):
            return known.base
        else:
            base = (known.base // EPOCH + 1) * EPOCH
        self.remember(replace(now, base=base))
        return base

    def _known(self) -> Segment | None:
        try:
            return Segment(**json.loads(self.memory.read_text()))
        except FileNotFoundError:
            return None

    def remember(self, segment: Segment) -> None:
        """Keep it for the next gateway. Written beside and renamed: a killed gateway leaves the old one whole, and so does a full disk."""
        beside = self.memory.with_suffix(f".{os.getpid()}")
        try:
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(asdict(segment)))
            beside.rename(self.memory)
        except OSError as error:
            log.warning("segment.not_kept", path=str(self.memory), error=str(error))

    def history(self, log: Path) -> History:
        """The log from its oldest byte kept. Raises FileNotFoundError, PermissionError."""
        return History(log, self.base_of(log), self.remember)
