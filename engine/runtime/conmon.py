"""Processes in a sandbox held by conmon: terminals, which outlive browser, gateway and worker, and streamed commands.

A process has a directory: `attach` (SOCK_SEQPACKET: raw bytes in; out, packets that begin with a stream byte), `log` (k8s log format: the
time-stamped record of all output), `winsz` and `ctl` (FIFOs for the window size and for reopening the log), `exit/<sandbox id>` (the
exit status as text, once it has ended). The gateway's group may open them; only root may add or rename files there.

Source: conmon(8); conmon's src/conmon.c for the order of the start and attach pipes.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from engine.runtime import bundle
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host
from engine.runtime.profiles import Profile

# Where nobody watches, conmon starts its log anew at this size (bytes); a watching gateway asks for that earlier.
LOG_SIZE_MAX = 32 << 20
START_TIMEOUT = 20.0  # s
LOG_NAME = "log"


def _spawn(host: Host, sandbox_id: str, directory: Path, process: dict[str, Any], *options: str, attach_first: bool) -> int:
    """Start conmon over `runc exec`; returns the process's host pid (0 while it waits for its client to attach)."""
    directory.mkdir(mode=0o750)
    os.chown(directory, 0, host.gateway_group)
    (directory / "exit").mkdir(mode=0o755)
    (directory / "process.json").write_text(json.dumps(process))
    sync_read, sync_write = os.pipe()
    attach_read, attach_write = os.pipe()
    environment = {"PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin", "_OCI_SYNCPIPE": str(sync_write)}
    passed = [sync_write]
    start = -1
    if attach_first:
        os.mkfifo(directory / "start")
        os.chown(directory / "start", 0, host.gateway_group)
        (directory / "start").chmod(0o620)
        start = os.open(directory / "start", os.O_RDWR)
        environment |= {"_OCI_STARTPIPE": str(start), "_OCI_ATTACHPIPE": str(attach_write)}
        passed += [start, attach_write]
        os.write(start, b"1")  # the first read of this pipe only asks whether conmon may fork
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
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=START_TIMEOUT,
        )
    except (subprocess.SubprocessError, FileNotFoundError) as error:
        raise StepFailed("terminal", f"conmon did not start: {error}") from error
    finally:
        for descriptor in passed:
            os.close(descriptor)
        if not attach_first:
            os.close(attach_write)
    try:
        pid = 0
        if attach_first:
            _message(attach_read)
        else:
            answer = _message(sync_read)
            pid = int(answer.get("data", answer.get("pid", -1)))
            if pid < 0:
                raise StepFailed("terminal", str(answer.get("message", answer)).strip().splitlines()[-1])
    finally:
        os.close(sync_read)
        os.close(attach_read)
    for name, mode in (("attach", 0o660), ("winsz", 0o660), ("ctl", 0o660), (LOG_NAME, 0o640)):
        path = directory / name
        if path.exists():
            os.chown(path, 0, host.gateway_group)
            path.chmod(mode)
    return pid


def _message(descriptor: int) -> dict[str, Any]:
    """One JSON line of conmon's; {} for its bare "ready". Raises StepFailed after START_TIMEOUT."""
    received, end = b"", time.monotonic() + START_TIMEOUT
    while not received.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise StepFailed("terminal", "conmon did not answer in time")
        chunk = os.read(descriptor, 4096)
        if not chunk:
            break
        received += chunk
    return dict(json.loads(received)) if received.strip() else {}


def open_terminal(host: Host, sandbox_id: str, profile: Profile, directory: Path, argv: tuple[str, ...]) -> int:
    """Start `argv` on a new PTY held by conmon. Returns its host pid. Raises StepFailed."""
    process = bundle.process(profile, argv, terminal=True, oom_score=bundle.TERMINAL_OOM_SCORE)
    process["consoleSize"] = {"height": 24, "width": 80}
    log = f"k8s-file:{directory / LOG_NAME}"
    options = ("--terminal", "--stdin", "--leave-stdin-open", "--log-path", log, "--log-size-max", str(LOG_SIZE_MAX))
    return _spawn(host, sandbox_id, directory, process, *options, attach_first=False)


def open_command(host: Host, sandbox_id: str, profile: Profile, directory: Path, argv: tuple[str, ...]) -> None:
    """Prepare `argv` with stdin, stdout and stderr on the attach socket; it starts when a client that has attached writes to `start`."""
    process = bundle.process(profile, argv, terminal=False, oom_score=bundle.TERMINAL_OOM_SCORE)
    _spawn(host, sandbox_id, directory, process, "--stdin", "--exec-attach", "--log-path", "none:", attach_first=True)


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
