"""Asking the processes of a sandbox to end before they are killed, so that a saved machine is found as its programs would leave it.

From outside, by signals: nothing inside has to work for that, and nothing inside can make it last longer than twice PATIENCE and GRACE.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from engine.runtime import cgroups
from engine.runtime.host import Host

PATIENCE = 4.0  # s for the Docker Engine and its containers; as long again for it alone, when they have been killed
GRACE = 3.0  # s for everything else
ENGINE = "dockerd"


def shut_down(host: Host, sandbox_id: str, init: int) -> None:
    """End the Docker Engine, with its containers, then all but PID 1, whose host pid is `init`. Returns when they have or time is up."""
    group = f"{host.cgroup}/{sandbox_id}"
    spared = {init} | _main(init)
    own = _pid_namespace(init)
    if not _ask(group, spared, PATIENCE, lambda pid: _name(pid) == ENGINE, signal.SIGTERM):
        # A container whose first process does not heed SIGTERM, and many do not, holds the engine up for 10 s (docker-stop(1)).
        _ask(group, spared, 0, lambda pid: _pid_namespace(pid) not in (own, ""), signal.SIGKILL)
        _ask(group, spared, PATIENCE, lambda pid: _name(pid) == ENGINE, signal.SIGTERM)
    _ask(group, spared, GRACE, lambda _: True, signal.SIGTERM)


def _main(init: int) -> set[int]:
    """The program that PID 1 was started for: when it ends, so does PID 1, and the kernel kills all others with it at once."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(init).children()
        return {min(children, key=lambda child: float(child.create_time())).pid} if children else set()
    return set()


def _ask(group: str, spared: set[int], patience: float, whom: Callable[[int], bool], how: signal.Signals) -> bool:
    """Send a signal to those of the group it is for, and wait until they have ended: whether they did in time."""
    with ExitStack() as opened:
        waiting = []
        for pid in cgroups.processes(group) - spared:
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                opened.callback(os.close, descriptor)
                # Asked after it was opened: so it is a process of this group, and none that got its number later.
                if group in _read(pid, "cgroup") and whom(pid):
                    signal.pidfd_send_signal(descriptor, how)
                    if how == signal.SIGTERM and _has_terminal(pid):  # an interactive shell heeds this one only, and saves its history
                        signal.pidfd_send_signal(descriptor, signal.SIGHUP)
                    waiting.append(descriptor)
        end = time.monotonic() + patience
        while waiting and (left := end - time.monotonic()) > 0:
            poll = select.poll()
            for descriptor in waiting:
                poll.register(descriptor, select.POLLIN)
            gone = {descriptor for descriptor, _ in poll.poll(left * 1000)}
            waiting = [descriptor for descriptor in waiting if descriptor not in gone]
        return not waiting


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _name(pid: int) -> str:
    """What it calls itself. Whoever lies with it is asked to end a moment earlier than the others, no more."""
    return _read(pid, "comm").strip()


def _pid_namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _has_terminal(pid: int) -> bool:
    """tty_nr of proc_pid_stat(5), the fifth field after the name."""
    fields = _read(pid, "stat").rpartition(") ")[2].split()
    return len(fields) > 4 and fields[4] != "0"
