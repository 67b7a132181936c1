"""Terminals of a running sandbox: one more, one less, a fresh shell in one whose shell has exited.

Each call may be made twice, and by two processes at once: what is so already stays so.
"""

from datetime import UTC, datetime

from engine.runtime import conmon
from engine.runtime.errors import SandboxError
from engine.runtime.host import Host
from engine.runtime.sandbox import open_terminal, terminals_locked

# What a program that was killed may have left on: alternate screen, mouse and paste modes, a hidden cursor (xterm's ctlseqs, DECSTR).
# Not 1049: leaving that puts the cursor back to where it was saved, and over what has been printed since.
AS_NEW = "\x1b[?1047l\x1b[?1000;1002;1003;1006;2004l\x1b[?25h\x1b[!p\x1b[0m"


def ensure(host: Host, sandbox_id: str, number: int) -> None:
    """Open terminal `number` unless it is there. Raises SandboxError or OSError; then nothing of it is left."""
    with terminals_locked(host, sandbox_id) as terminals:
        directory = terminals / str(number)
        if directory.is_dir():
            if conmon.holder(directory) or conmon.exit_status(directory, sandbox_id) is not None:
                return
            conmon.close(directory)  # a worker was killed on its way
        try:
            open_terminal(host, sandbox_id, number)
        except (SandboxError, OSError):
            if directory.is_dir():
                conmon.close(directory)
            raise


def close(host: Host, sandbox_id: str, number: int) -> None:
    """End the terminal: what runs in it gets SIGHUP. Raises SandboxError."""
    with terminals_locked(host, sandbox_id) as terminals:
        if (terminals / str(number)).is_dir():
            conmon.close(terminals / str(number))


def restart(host: Host, sandbox_id: str, number: int) -> None:
    """A fresh shell where the last one has exited; the terminal's log goes on after a line that says so. Raises SandboxError or OSError."""
    with terminals_locked(host, sandbox_id) as terminals:
        directory = terminals / str(number)
        # Beside the directory, which goes: a worker that is killed here leaves it to the next.
        kept = host.directory(sandbox_id) / f"terminal-{number}.log"
        if directory.is_dir():
            if conmon.exit_status(directory, sandbox_id) is None:
                return
            (directory / conmon.LOG_NAME).rename(kept)
            conmon.close(directory)
        if not kept.exists():
            open_terminal(host, sandbox_id, number)
            return
        now = datetime.now(UTC)
        stamp = now.isoformat(timespec="microseconds").replace("+", "000+")
        line = f"\x1b[2m\u2500\u2500\u2500\u2500 A fresh shell, {now:%H:%M} UTC \u2500\u2500\u2500\u2500\x1b[0m"
        with kept.open("a") as log:
            log.write(f"{stamp} stdout F {AS_NEW}\r\n{stamp} stdout F {line}\r\n")
        open_terminal(host, sandbox_id, number, kept)
