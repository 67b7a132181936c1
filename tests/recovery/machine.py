"""One sandbox of the running site, seen from three sides: its row, its host, its shell."""

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.installation import SOURCE
from engine.runtime import instance, sandbox
from engine.runtime.host import Host
from tests.ops.stack import Stack
from tests.traces import Traces
from tests.waiting import until


def host_of(site: Stack) -> Host:
    return instance.opened(site.installation.state)


def rows(site: Stack) -> dict[str, dict[str, Any]]:
    """Every sandbox's row by its id, read beside the site."""
    connection = sqlite3.connect(site.installation.state / "db" / "playground.sqlite3", timeout=20)
    try:
        connection.row_factory = sqlite3.Row
        return {row["id"]: dict(row) for row in connection.execute("SELECT * FROM engine_sandbox")}
    finally:
        connection.close()


def manage(site: Stack, *words: str) -> "subprocess.Popen[str]":
    """`manage.py` under way; what it prints can be read when it has ended."""
    command = [sys.executable, "manage.py", *words]
    return subprocess.Popen(command, cwd=SOURCE, env=site.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Clerk:
    """A process that asks the site for sandboxes and stops them; one for all tests, so that none waits for its start."""

    def __init__(self, site: Stack, **settings: str) -> None:
        self.site = site
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.recovery.clerk"],
            cwd=SOURCE, env=site.environment | settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def _order(self, words: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        assert answer, "the clerk died; its words are above"
        return answer

    def ask(self) -> "Machine":
        """A sandbox that is asked for, and not there yet."""
        answer = self._order("start")
        assert len(answer) == 32, answer
        return Machine(self.site, answer)

    def refused(self) -> str:
        """Why a sandbox that is asked for is not given."""
        answer, _, text = self._order("start").partition(": ")
        assert answer == "refused", answer
        return text

    def start(self) -> "Machine":
        """A running one."""
        return self._running(self.ask())

    def _running(self, machine: "Machine") -> "Machine":
        until(lambda: machine.row["state"] != "creating", "it is made", 60)
        assert machine.row["state"] == "running", machine.row["end_detail"]
        return machine

    def stop(self, machine: "Machine") -> None:
        """Ask for its end."""
        self._order(f"stop {machine.id}")

    def save(self, machine: "Machine") -> None:
        """Ask that it is kept and ended."""
        self._order(f"save {machine.id}")

    def resume(self, machine: "Machine") -> "Machine":
        """A running one with the disk of another that was saved."""
        return self._running(Machine(self.site, self._order(f"resume {machine.id}")))

    def remove(self, machine: "Machine") -> None:
        """Ask for its end and wait for it."""
        self.stop(machine)
        until(lambda: machine.row["state"] in ("stopped", "failed"), "it is removed", 60)

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


class Machine:
    """A sandbox by its id."""

    def __init__(self, site: Stack, sandbox_id: str) -> None:
        self.site, self.id = site, sandbox_id
        host = host_of(site)
        self.directory, self.container = host.directory(sandbox_id), host.runc_root / sandbox_id

    @property
    def row(self) -> dict[str, Any]:
        return rows(self.site)[self.id]

    @property
    def step(self) -> str:
        """The step it is being made in, by what of it is on the host; `made` when the last has begun its work."""
        for name, over in (("reserve", "slot"), ("disk", "image"), ("boot", "init.pid"), ("terminal", "terminals/1/pid")):
            if not (self.directory / over).exists():
                return name
        return "made"

    @property
    def terminal(self) -> Path:
        return self.directory / "terminals" / "1"

    def pid_of(self, name: str) -> int:
        """`pid` of the shell, or `conmon.pid` of its holder."""
        return int((self.terminal / name).read_text())

    def traces(self) -> Traces:
        return Traces(host_of(self.site), self.id)

    def gone(self) -> bool:
        return self.id not in sandbox.present(host_of(self.site))

    def type(self, line: str) -> None:
        """A line at its terminal, as the gateway writes it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            descriptor = os.open(self.terminal, os.O_PATH)
            connection.connect(f"/proc/self/fd/{descriptor}/attach")
            os.close(descriptor)
            connection.send(f"{line}\n".encode())

    def answers(self, word: str) -> None:
        """Its shell is the one that was told `secret=WORD`."""

        def said() -> int:
            return (self.terminal / "log").read_text(errors="replace").count(f"<{word}>")

        before = said()
        self.type('echo "<$secret>"')
        until(lambda: said() > before, "the shell answers", 20)
