"""Making a fresh sandbox a lesson's own: its files unpacked, its set-up script run. Both happen inside, as the sandbox's root."""

import subprocess
from collections.abc import Callable

from engine.models import Sandbox
from engine.runtime import sandbox as runtime
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host

TIMEOUT = 120.0  # s
# The set-up's output goes to a file inside, where the learner may read it too: through a pipe, a server that it leaves running would
# hold the engine until the time is up.
LOG = "/var/log/lab-setup.log"
SHELL = ("/bin/bash", "-lc", f"exec /bin/bash -l -e -s > {LOG} 2>&1")


def prepare(host: Host, sandbox: Sandbox, progress: Callable[[str, str], None]) -> None:
    """Unpack files, run the set-up. Raises StepFailed with the end of what the script printed."""
    if sandbox.files:
        progress("files", "Copy the lesson's files")
        _run(host, sandbox, ("tar", "--extract", "--directory", "/", "--no-same-owner"), bytes(sandbox.files))
    if sandbox.setup:
        progress("setup", "Set the lesson up")
        _run(host, sandbox, SHELL, sandbox.setup.encode())


def _run(host: Host, sandbox: Sandbox, argv: tuple[str, ...], stdin: bytes) -> None:
    try:
        result = runtime.run(host, sandbox.id.hex, argv, stdin=stdin, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise StepFailed("The lesson's set-up", f"it took over {TIMEOUT:.0f} seconds") from error
    if result.returncode != 0:
        logged = runtime.run(host, sandbox.id.hex, ("tail", "-c", "500", LOG), stdin=b"", timeout=TIMEOUT).stdout if argv is SHELL else b""
        output = (result.stdout + result.stderr + logged).decode(errors="replace").strip()
        raise StepFailed("The lesson's set-up", f"exit status {result.returncode}: {output}")
