"""Which installation a command works on, read from the environment with the standard library only.

Set-up runs before there is a Python environment, so it cannot import `playground.environment`; a test holds the two together.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

SOURCE = Path(__file__).resolve().parent.parent
MARKER = "This directory belongs to a playground installation. `make clean` deletes it whole.\n"


@dataclass(frozen=True)
class Installation:
    """One state directory and what is the same for all its processes."""

    state: Path
    user: str
    bind: str
    port: int
    source: Path = SOURCE

    @property
    def python(self) -> Path:
        return self.state / "venv" / "bin" / "python"

    @property
    def marker(self) -> Path:
        return self.state / ".playground"

    @property
    def lock(self) -> Path:
        return self.state / "run" / "supervisor.lock"

    def holder(self) -> int | None:
        """Process id of the supervisor that runs this installation, or None."""
        try:
            with self.lock.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or 0)
        except FileNotFoundError:
            return None
        return None

    def claim(self) -> None:
        """Mark the state directory as ours, so that `make clean` may delete it. Refuses a directory that holds something else."""
        if not self.marker.is_file():
            if self.state.is_dir() and any(self.state.iterdir()) and not (self.state / "sandboxes").is_dir():
                stop(f"{self.state} is not empty and not ours. Set PLAYGROUND_STATE to a new or empty directory.")
            self.state.mkdir(parents=True, exist_ok=True)
            self.marker.write_text(MARKER)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the installation's lock. The kernel drops it with the process, so a killed supervisor leaves none behind."""
        self.claim()
        self.lock.parent.mkdir(exist_ok=True)
        with self.lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                stop(f"The site in {self.state} already runs (process {file.read() or 'unknown'}). Stop it first, or set PLAYGROUND_STATE.")
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def from_environment() -> Installation:
    """What `PLAYGROUND_STATE`, `_USER`, `_BIND` and `_PORT` say; docs/configuration.md has the defaults."""
    port = os.environ.get("PLAYGROUND_PORT", "8000")
    if not port.isdigit() or not 0 < int(port) < 65536:
        stop(f"PLAYGROUND_PORT is {port!r}: it must be a number from 1 to 65535.")
    state = Path(os.environ.get("PLAYGROUND_STATE", "/var/lib/playground"))
    if not state.is_absolute() or len(state.parts) < 3:
        stop(f"PLAYGROUND_STATE is {str(state)!r}: it must be an absolute path of a directory of its own, like /var/lib/playground.")
    return Installation(
        state=state.resolve(),
        user=os.environ.get("PLAYGROUND_USER", "playground"),
        bind=os.environ.get("PLAYGROUND_BIND", "127.0.0.1"),
        port=int(port),
    )


def require_root(what: str) -> None:
    if os.geteuid() != 0:
        stop(f"{what} needs root: it makes containers, a network bridge and a system user. Run it as root, for example with sudo.")


def stop(message: str) -> NoReturn:
    """End the program with a message for a person and status 1."""
    print(message, file=sys.stderr)
    raise SystemExit(1)
