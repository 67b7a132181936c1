"""Processes in a sandbox held by conmon: terminals, which outlive browser, gateway and worker, and streamed commands.

A process has a directory: `attach` (SOCK_SEQPACKET: raw bytes in; out, packets that begin with a stream byte), `log` (k8s log format: the
time-stamped record of all output), `winsz` and `ctl` (FIFOs for the window size and for reopening the log), `exit/<sandbox id>` (the
exit status as text, once it has ended). The gateway's group may open them; only root may add or rename files there.

Source: conmon(8); conmon's src/conmon.c for the order of the start and attach pipes.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from engine.runtime import bundle
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host
from engine.runtime.profiles import Profile

# conmon starts its log anew at this size (bytes).
LOG_SIZE_MAX = 32 << 20
START_TIMEOUT = 20.0  # s
LOG_NAME = "log"
SPARE_LOG = "log.tmp"


def _spawn(
    host: Host,
    sandbox_id: str,
    directory: Path,
    process: dict[str, Any],
    *options: str,
    attach_first: bool,
    kept_log: Path | None = None,
) -> None:
    """Start conmon over `runc exec`. `attach_first`: the process waits until a client has attached and has written to `start`."""
    directory.mkdir(mode=0o750)
    os.chown(directory, 0, host.gateway_group)
    if kept_log is not None:
        kept_log.rename(directory / LOG_NAME)  # conmon appends to a log that is there
    (directory / "exit").mkdir(mode=0o755)
    (directory / "process.json").write_text(json.dumps(process))
    if attach_first:
        # FIFOs that conmon itself keeps open: the client, another process, sets the command off and reads how that went.
        sync, start = _fifo(directory / "sync", host.gateway_group), _fifo(directory / "start", host.gateway_group)
        attached, attach = os.pipe()
        passed = {"_OCI_SYNCPIPE": sync, "_OCI_STARTPIPE": start, "_OCI_ATTACHPIPE": attach}
        os.write(start, b"1")  # the first read of this pipe only asks whether conmon may fork
        answer = attached
    else:
        answer, sync = os.pipe()
        passed = {"_OCI_SYNCPIPE": sync}
    environment = {"PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin"} | {name: str(fd) for name, fd in passed.items()}
    command = [
        "conmon", "--api-version", "1", "--cid", sandbox_id, "--cuuid", directory.name, "--name", directory.name,
        "--runtime", host.runtime_path(), "--runtime-arg", "--root", "--runtime-arg", str(host.runc_root),
        "--bundle", str(directory), "--full-attach", "--exec", "--exec-process-spec", str(directory / "process.json"),
        "--exit-dir", str(directory / "exit"), "--conmon-pidfile", str(directory / "conmon.pid"),
        "--container-pidfile", str(directory / "pid"), "--log-level", "error", "--no-sync-log", *options,
    ]  # fmt: skip
    try:
        subprocess.run(
            command,
            env=environment,
            cwd=directory,  # conmon notes an out-of-memory kill in a file `oom` where it stands, and stands there for its whole life
            pass_fds=list(passed.values()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=START_TIMEOUT,
        )
    except (subprocess.SubprocessError, FileNotFoundError) as error:
        os.close(answer)
        raise StepFailed("terminal", f"conmon did not start: {error}") from error
    finally:
        for descriptor in passed.values():
            os.close(descriptor)
    try:
        message = read_message(answer)
    finally:
        os.close(answer)
    if not attach_first:
        check_started(message)
    for name in ("attach", "winsz", "ctl"):
        path = directory / name
        if path.exists():
            os.chown(path, 0, host.gateway_group)
            path.chmod(0o660)
    if (directory / LOG_NAME).exists():
        share_log(host, directory)


def share_log(host: Host, directory: Path) -> None:
    """Let the gateway read the log of this terminal, now and after conmon has begun it anew.

    conmon makes each new file under the name `log.tmp`, for root alone, and renames it; where it finds one there it takes that as it is.
    So one that the gateway may read is laid out, to be used once. Source: reopen_k8s_file in conmon's src/ctr_logging.c.
    """
    draft = directory / "log.draft"
    draft.unlink(missing_ok=True)
    spare = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    log = os.open(directory / LOG_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        for descriptor in (spare, log):
            os.fchown(descriptor, 0, host.gateway_group)
            os.fchmod(descriptor, 0o640)
        with contextlib.suppress(FileExistsError):  # it lies there, or conmon is making one now: then the gateway asks again
            os.link(draft, directory / SPARE_LOG)
    finally:
        os.close(spare)
        os.close(log)
        draft.unlink()


def _fifo(path: Path, group: int) -> int:
    """A FIFO the gateway's group may use, open for reading and writing: opening never waits, and it never runs out of readers."""
    os.mkfifo(path)
    os.chown(path, 0, group)
    path.chmod(0o660)
    return os.open(path, os.O_RDWR)


def check_started(message: dict[str, Any]) -> None:
    """Raise StepFailed with the runtime's words if conmon says that the process did not start."""
    if int(message.get("data", message.get("pid", -1))) < 0:
        words = str(message.get("message", "the runtime did not say why")).strip().splitlines()
        raise StepFailed("start", words[-1] if words else "no message")


def read_message(descriptor: int) -> dict[str, Any]:
    """One JSON line of conmon's; {} for its bare "ready". Raises StepFailed after START_TIMEOUT."""
    received, end = b"", time.monotonic() + START_TIMEOUT
    while b"\n" not in received:
        left = end - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise StepFailed("terminal", "conmon did not answer in time")
        chunk = os.read(descriptor, 4096)
        if not chunk:
            break
        received += chunk
    first = received.partition(b"\n")[0]  # a command that ends at once has sent its exit code behind it
    return dict(json.loads(first)) if first.strip() else {}


def open_terminal(
    host: Host, sandbox_id: str, profile: Profile, directory: Path, argv: tuple[str, ...], kept_log: Path | None = None
) -> None:
    """Start `argv` on a new PTY held by conmon; `kept_log` is an earlier shell's, and goes on. Raises StepFailed."""
    process = bundle.process(profile, argv, terminal=True, oom_score=bundle.TERMINAL_OOM_SCORE)
    process["consoleSize"] = {"height": 24, "width": 80}
    log = f"k8s-file:{directory / LOG_NAME}"
    options = ("--terminal", "--stdin", "--leave-stdin-open", "--log-path", log, "--log-size-max", str(LOG_SIZE_MAX))
    _spawn(host, sandbox_id, directory, process, *options, attach_first=False, kept_log=kept_log)


def open_command(host: Host, sandbox_id: str, profile: Profile, directory: Path, argv: tuple[str, ...]) -> None:
    """Prepare `argv` with stdin, stdout and stderr on the attach socket; it starts when a client that has attached writes to `start`."""
    process = bundle.process(profile, argv, terminal=False, oom_score=bundle.TERMINAL_OOM_SCORE)
    _spawn(host, sandbox_id, directory, process, "--stdin", "--exec-attach", "--log-path", "none:", attach_first=True)


def connect(directory: Path, flags: int = 0) -> socket.socket:
    """The attach socket of this directory's process, connected. `flags`: more of socket(2)'s. Raises OSError when its conmon has gone."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | flags)
    # A path in AF_UNIX is short (108 bytes): go through the directory's descriptor.
    try:
        descriptor = os.open(directory, os.O_PATH | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{descriptor}/attach")
        finally:
            os.close(descriptor)
    except OSError:
        connection.close()
        raise
    return connection


def exit_status(directory: Path, sandbox_id: str) -> int | None:
    """The exit status of the directory's process, or None while it runs (or if conmon was killed: see `holder`)."""
    try:
        text = (directory / "exit" / sandbox_id).read_text()
    except FileNotFoundError:
        return None
    return int(text) if text else None


def holder(directory: Path) -> psutil.Process | None:
    """The conmon that holds this directory's process, if it lives."""
    try:
        process = psutil.Process(int((directory / "conmon.pid").read_text()))
        return process if str(directory) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None


def close(directory: Path) -> None:
    """End the conmon of this directory and remove the directory. Its process in the sandbox gets SIGHUP from the PTY."""
    process = holder(directory)
    if process is not None:
        process.send_signal(signal.SIGKILL)
        try:
            process.wait(5)
        except psutil.TimeoutExpired as error:
            raise StepFailed("terminal", f"conmon {process.pid} does not end") from error
    shutil.rmtree(directory, ignore_errors=False)
