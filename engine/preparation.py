"""Making a fresh sandbox a lesson's own: its files unpacked, its set-up script run. Both happen inside, as the sandbox's root."""

import subprocess
from collections.abc import Callable

from engine.models import Sandbox
from engine.runtime import sandbox as runtime
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host

TIMEOUT = 120.0  # s


def prepare(host: Host, sandbox: Sandbox, progress: Callable[[str, str], None]) -> None:
    """Unpack files, run the set-up. Raises StepFailed with the end of what the script printed."""
    if sandbox.files:
        progress("files", "Copy the lesson's files")
        _run(host, sandbox, ("tar", "--extract", "--directory", "/", "--no-same-owner"), bytes(sandbox.files))
    if sandbox.setup:
        progress("setup", "Set the lesson up")
        _run(host, sandbox, ("/bin/bash", "-l", "-e", "-s"), sandbox.setup.encode())


def _run(host: Host, sandbox: Sandbox, argv: tuple[str, ...], stdin: bytes) -> None:
    try:
        result = runtime.run(host, sandbox.id.hex, argv, stdin=stdin, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise StepFailed("The lesson's set-up", f"it took over {TIMEOUT:.0f} seconds") from error
    if result.returncode != 0:
        output = (result.stdout + result.stderr).decode(errors="replace").strip()
        raise StepFailed("The lesson's set-up", f"exit status {result.returncode}: {output[-500:]}")
