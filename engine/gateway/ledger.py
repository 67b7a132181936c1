"""How much of what each browser typed was handed to the terminal: so that after a lost connection it sends the rest, and nothing twice.

A file mapped into memory: what is written there outlives a killed gateway (the kernel has it), and costs no system call per key. Each
client has a slot: before bytes are handed over `trying` is set to where they end, after it `taken`. Only a gateway killed between the two
leaves them different, and then nobody can know; such bytes are told of as uncertain and not sent again.
"""

import hashlib
import mmap
import os
import struct
import time
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings

SLOTS = 64  # clients of one terminal that are remembered; then the one that typed longest ago is forgotten
SLOT = struct.Struct("=16sQQQ")  # whose, seconds when last opened, taken, trying
PLACES = struct.Struct("=QQ")

log = structlog.get_logger(__name__)


def ledger_of(terminal_id: UUID) -> Path:
    """The file of a terminal's ledger; the worker removes it with the sandbox."""
    return Path(settings.STATE) / "run" / "gateway" / f"{terminal_id.hex}.typed"


class Account:
    """One client's place in its input. `taken`: bytes before it have been handed to the terminal."""

    def __init__(self, memory: mmap.mmap | bytearray, at: int, taken: int, trying: int) -> None:
        self.memory, self.at = memory, at
        self.taken = trying
        self.open = True
        self.uncertain = trying - taken  # bytes of which nobody knows whether they arrived
        self.settle(trying)

    def attempt(self, end: int) -> None:
        """Bytes from `taken` to `end` are about to be handed over."""
        PLACES.pack_into(self.memory, self.at, self.taken, end)

    def settle(self, taken: int) -> None:
        """They were (or with the old `taken`: they were not)."""
        self.taken = taken
        PLACES.pack_into(self.memory, self.at, taken, taken)

    def close(self) -> None:
        """Nothing more is handed over in its name."""
        self.open = False


def unwritten() -> Account:
    """For a client without a name: it does not come back."""
    return Account(bytearray(PLACES.size), 0, 0, 0)


def _mapped(path: Path) -> mmap.mmap:
    """The file in memory. It has its blocks: a write into memory that the disk has no room for ends the process. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, SLOTS * SLOT.size)
        return mmap.mmap(descriptor, SLOTS * SLOT.size)
    finally:
        os.close(descriptor)


class Ledger:
    """The accounts of one terminal."""

    def __init__(self, path: Path) -> None:
        """On a full disk it lasts as long as this process."""
        self.memory: mmap.mmap | bytearray = bytearray(SLOTS * SLOT.size)
        try:
            self.memory = _mapped(path)
        except OSError as error:
            log.warning("ledger.not_kept", path=str(path), error=str(error))

    def account(self, user_id: int, client: str) -> Account:
        """This client's account, found again or begun."""
        whose = hashlib.blake2b(f"{user_id} {client}".encode(), digest_size=16).digest()
        slots = [(at, *SLOT.unpack_from(self.memory, at)) for at in range(0, SLOTS * SLOT.size, SLOT.size)]
        at, found, _, taken, trying = next((slot for slot in slots if slot[1] == whose), min(slots, key=lambda slot: slot[2]))
        if found != whose:
            taken = trying = 0
        SLOT.pack_into(self.memory, at, whose, int(time.time()), taken, trying)
        return Account(self.memory, at + SLOT.size - PLACES.size, taken, trying)
