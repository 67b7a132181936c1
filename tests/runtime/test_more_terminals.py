"""One more terminal, one less, and a fresh shell that goes on in the old one's log."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.gateway.logfile import decode
from engine.runtime import conmon, sandbox, terminals
from engine.runtime.errors import NoSuchSandbox
from engine.runtime.host import Host
from tests.conftest import Make
from tests.waiting import until

pytestmark = pytest.mark.kernel


def _type(directory: Path, text: str) -> None:
    with conmon.connect(directory) as client:
        client.send(text.encode())


def _output(directory: Path) -> bytes:
    return decode((directory / conmon.LOG_NAME).read_bytes())[0]


def test_it_works(host: Host, make: Make) -> None:
    spec = make(terminals=1)
    second = host.directory(spec.id) / "terminals" / "2"
    with ThreadPoolExecutor(2) as both:  # a message delivered twice
        list(both.map(lambda _: terminals.ensure(host, spec.id, 2), range(2)))
    _type(second, "echo $((20 + 22))\n")
    until(lambda: b"42\r\n" in _output(second), "the second terminal answers")
    terminals.close(host, spec.id, 2)
    terminals.close(host, spec.id, 2)
    assert not second.exists()
    assert subprocess.run(["pgrep", "-f", str(second)], check=False, capture_output=True).stdout == b""
    assert sandbox.reopen_lost_terminals(host, spec.id) == []


def test_a_fresh_shell_goes_on_in_the_log(host: Host, make: Make) -> None:
    spec = make(terminals=1)
    directory = host.directory(spec.id) / "terminals" / "1"
    _type(directory, "echo be''fore; exit 3\n")
    until(lambda: conmon.exit_status(directory, spec.id) == 3, "the shell exits")
    inode = (directory / conmon.LOG_NAME).stat().st_ino
    terminals.restart(host, spec.id, 1)
    terminals.restart(host, spec.id, 1)  # the second time nothing has exited
    _type(directory, "echo af''ter\n")
    until(lambda: b"after\r\n" in _output(directory), "the fresh shell answers")
    output = _output(directory)
    assert output.index(b"before\r\n") < output.index(b"A fresh shell") < output.index(b"after\r\n")
    assert output.count(b"A fresh shell") == 1
    assert (directory / conmon.LOG_NAME).stat().st_ino == inode, "offsets go on: who watches draws nothing twice"


def test_a_restart_that_was_killed_half_way_is_finished(host: Host, make: Make) -> None:
    spec = make(terminals=1)
    directory = host.directory(spec.id) / "terminals" / "1"
    _type(directory, "echo be''fore; exit\n")
    until(lambda: conmon.exit_status(directory, spec.id) == 0, "the shell exits")
    (directory / conmon.LOG_NAME).rename(host.directory(spec.id) / "terminal-1.log")
    conmon.close(directory)
    terminals.restart(host, spec.id, 1)
    assert b"before\r\n" in _output(directory)


def test_a_sandbox_that_has_gone_has_no_terminals(host: Host) -> None:
    with pytest.raises(NoSuchSandbox):
        terminals.ensure(host, "0" * 32, 2)
