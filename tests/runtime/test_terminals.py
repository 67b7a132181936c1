"""Terminals held by conmon, and commands streamed through it: at their sockets, without gateway and web."""

import hashlib
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from engine.attach import stream
from engine.runtime import cgroups, conmon, sandbox
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host
from engine.runtime.spec import SandboxSpec
from tests.conftest import Make, Run
from tests.waiting import until

pytestmark = pytest.mark.kernel


@pytest.fixture
def spec(make: Make) -> SandboxSpec:
    return make(terminals=1)


@pytest.fixture
def directory(host: Host, spec: SandboxSpec) -> Path:
    return host.directory(spec.id) / "terminals" / "1"


class Attached:
    """A client at a terminal's socket that keeps all it hears."""

    def __init__(self, directory: Path) -> None:
        self.heard = b""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptor = os.open(directory, os.O_PATH)
        self.socket.connect(f"/proc/self/fd/{descriptor}/attach")
        os.close(descriptor)
        self.socket.settimeout(10)

    def type(self, text: str) -> None:
        self.socket.send(text.encode())

    def hears(self, text: str) -> bool:
        """Listen until `text` has come; False when the terminal ended before. Raises TimeoutError."""
        while text.encode() not in self.heard:
            packet = self.socket.recv(65536)
            if not packet:
                return False
            self.heard += packet[1:]
        return True


@contextmanager
def _attached(directory: Path) -> Iterator[Attached]:
    client = Attached(directory)
    with client.socket:
        yield client


def test_what_is_typed_is_answered_and_kept_in_the_log(directory: Path) -> None:
    with _attached(directory) as client:
        client.type("echo $((20 + 22))\n")
        assert client.hears("42\r\n")
    assert b"42\r\n" in (directory / "log").read_bytes()


def test_the_shell_outlives_whoever_made_it_and_whoever_watches_it(directory: Path, spec: SandboxSpec, host: Host) -> None:
    with _attached(directory) as client:
        client.type("here=kept; echo at $$\n")
        assert client.hears("at ")
    holder = conmon.holder(directory)
    assert holder is not None
    assert holder.ppid() == 1, "no child of the engine's"
    assert os.getsid(holder.pid) != os.getsid(0)
    assert holder.pid not in cgroups.processes(f"{host.cgroup}/{spec.id}")
    with _attached(directory) as client:
        client.type("echo $here and $here\n")
        assert client.hears("kept and kept\r\n")


def test_its_conmon_stands_in_its_directory(directory: Path) -> None:
    """It notes an out-of-memory kill in a file where it stands: that must be the sandbox's directory, and go with it."""
    holder = conmon.holder(directory)
    assert holder is not None
    assert Path(holder.cwd()) == directory


def test_a_new_window_size_reaches_the_program(directory: Path) -> None:
    with _attached(directory) as client:
        client.type("stty size\n")
        assert client.hears("24 80\r\n")
        (directory / "winsz").write_text("50 132\n")
        client.type("until [ \"$(stty size)\" = '50 132' ]; do :; done; echo re''sized\n")
        assert client.hears("resized\r\n")


@pytest.mark.parametrize(("last", "status"), [("exit 7", 7), ("exit", 0), ("kill -9 $$", 137)])
def test_the_end_of_a_shell_has_its_status(spec: SandboxSpec, directory: Path, last: str, status: int) -> None:
    assert conmon.exit_status(directory, spec.id) is None
    with _attached(directory) as client:
        client.type(f"true; {last}\n")
        assert not client.hears("there is no such output")
    until(lambda: conmon.exit_status(directory, spec.id) is not None, "conmon has written the status")
    assert conmon.exit_status(directory, spec.id) == status
    until(lambda: conmon.holder(directory) is None, "conmon has ended")


def test_terminals_are_separate_and_a_second_of_a_number_is_refused(host: Host, spec: SandboxSpec, directory: Path) -> None:
    second = sandbox.open_terminal(host, spec.id, 2)
    with _attached(directory) as one, _attached(second) as other:
        one.type("mine=1; tty\n")
        other.type("echo mine=$mine; tty\n")
        assert one.hears("/dev/pts/")
        assert other.hears("mine=\r\n")
        assert other.hears("/dev/pts/")
    with pytest.raises(FileExistsError):
        sandbox.open_terminal(host, spec.id, 2)
    assert conmon.holder(second) is not None, "the refusal did not touch the one that is there"


def test_closing_a_terminal_ends_its_programs(host: Host, spec: SandboxSpec, directory: Path, run: Run) -> None:
    with _attached(directory) as client:
        client.type("sleep 98765\n")
        until(lambda: run(spec.id, "pgrep", "-f", "sleep 98765").returncode == 0, "the program runs")
    conmon.close(directory)
    assert not directory.exists()
    until(lambda: run(spec.id, "pgrep", "-f", "sleep 98765").returncode == 1, "the program has ended")
    assert sandbox.alive(host, spec.id)


@contextmanager
def _files(directory: Path, stdin: bytes) -> Iterator[tuple[int, int, int]]:
    for name, content in (("in", stdin), ("out", b""), ("err", b"")):
        (directory / name).write_bytes(content)
    descriptors = [os.open(directory / name, os.O_RDWR) for name in ("in", "out", "err")]
    try:
        yield descriptors[0], descriptors[1], descriptors[2]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _command(host: Host, spec: SandboxSpec, tmp_path: Path, *argv: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    place = sandbox.open_command(host, spec.id, uuid4().hex, argv)
    with _files(tmp_path, stdin) as descriptors:
        status = stream(place, spec.id, *descriptors)
    return status, (tmp_path / "out").read_bytes(), (tmp_path / "err").read_bytes()


def test_a_streamed_command_returns_its_status_and_keeps_its_streams_apart(host: Host, spec: SandboxSpec, tmp_path: Path) -> None:
    command = ("sh", "-c", "cat; echo out; echo err >&2; exit 3")
    assert _command(host, spec, tmp_path, *command, stdin=b"in\n") == (3, b"in\nout\n", b"err\n")


def test_a_command_that_is_not_there_is_said_to_be_so(host: Host, spec: SandboxSpec, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"no-such-program.*not found"):
        _command(host, spec, tmp_path, "no-such-program")


def test_ten_megabytes_of_input_arrive_whole(host: Host, spec: SandboxSpec, tmp_path: Path) -> None:
    assert _command(host, spec, tmp_path, "wc", "-c", stdin=b"x" * 10_000_000) == (0, b"10000000\n", b"")


def test_ten_megabytes_go_there_and_back_unchanged(host: Host, spec: SandboxSpec, tmp_path: Path) -> None:
    data = os.urandom(10_000_000)
    status, output, error = _command(host, spec, tmp_path, "cat", stdin=data)
    assert (status, error) == (0, b"")
    assert hashlib.sha256(output).digest() == hashlib.sha256(data).digest()


def test_a_command_that_leaves_its_input_unread_ends_all_the_same(host: Host, spec: SandboxSpec, tmp_path: Path) -> None:
    assert _command(host, spec, tmp_path, "sh", "-c", "head -c3; exit 4", stdin=b"abc" * 1_000_000) == (4, b"abc", b"")


def test_input_through_a_pipe_arrives_whole(host: Host, spec: SandboxSpec, tmp_path: Path) -> None:
    place = sandbox.open_command(host, spec.id, uuid4().hex, ("md5sum",))
    data = os.urandom(3_000_000)
    read, write = os.pipe()

    def feed() -> None:
        with os.fdopen(write, "wb") as pipe:
            pipe.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with _files(tmp_path, b"") as (_, out, err):
        assert stream(place, spec.id, read, out, err) == 0
    feeder.join()
    os.close(read)
    assert (tmp_path / "out").read_text().split()[0] == hashlib.md5(data).hexdigest()


def test_a_command_killed_by_a_signal_says_so(host: Host, spec: SandboxSpec, tmp_path: Path) -> None:
    assert _command(host, spec, tmp_path, "sh", "-c", "kill -TERM $$")[0] == 128 + signal.SIGTERM


def test_a_command_ends_with_its_sandbox(host: Host, spec: SandboxSpec, tmp_path: Path) -> None:
    place = sandbox.open_command(host, spec.id, uuid4().hex, ("sh", "-c", "echo runs; sleep 1000"))
    outcome: list[int] = []
    with _files(tmp_path, b"") as (_, out, err):
        silent_read, silent_write = os.pipe()
        client = threading.Thread(target=lambda: outcome.append(stream(place, spec.id, silent_read, out, err)))
        client.start()
        until(lambda: (tmp_path / "out").read_bytes() == b"runs\n", "the command runs")
        pid = sandbox.inspect(host, spec.id).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        client.join(10)
        os.close(silent_read)
        os.close(silent_write)
    assert outcome == [137]


def test_a_log_that_conmon_begins_anew_is_the_gateways_to_read(host: Host, spec: SandboxSpec, directory: Path) -> None:
    """conmon makes its files for root alone; one that was laid out before it takes as it is."""
    log = directory / conmon.LOG_NAME

    def begin_anew() -> tuple[int, int]:
        before = log.stat().st_ino
        with (directory / "ctl").open("w") as control:
            control.write("2 0 0\n")
        until(lambda: log.stat().st_ino != before, "conmon has begun a new log")
        return stat.S_IMODE(log.stat().st_mode), log.stat().st_gid

    readable = (0o640, host.gateway_group)
    assert begin_anew() == readable
    assert begin_anew() == (0o600, 0), "nothing was laid out this time"
    sandbox.share_logs(host, spec.id)
    assert (stat.S_IMODE(log.stat().st_mode), log.stat().st_gid) == readable
    assert begin_anew() == readable
    assert not (directory / "log.draft").exists()
