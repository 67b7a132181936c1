"""What is gone for good: the queue, the host, the disk's last byte, the name server."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.installation import SOURCE
from engine.runtime import cgroups, instance
from tests.ops.stack import PROGRAMS, Stack
from tests.recovery.machine import Clerk, host_of
from tests.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


def test_a_redis_that_comes_back_empty_loses_no_start_and_no_stop(site: Stack, clerk: Clerk) -> None:
    running = clerk.start()
    found = running.traces()
    os.killpg(site.pid("engine"), signal.SIGSTOP)  # nobody takes from the queue
    try:
        waiting = clerk.ask()
        clerk.stop(running)
        old = site.pid("redis")
        os.kill(old, signal.SIGKILL)
        site.until(lambda: site.pid("redis") not in (0, old), "Redis is started again", 60)
    finally:
        os.killpg(site.pid("engine"), signal.SIGCONT)
    assert (waiting.row["state"], waiting.row["claim"]) == ("creating", "")
    assert (running.row["state"], running.row["claim"]) == ("stopping", "")
    until(lambda: waiting.row["state"] == "running" and running.row["state"] == "stopped", "both are done after all", 60)
    assert found.left() == {}


def test_what_is_asked_for_without_redis_is_done_when_it_is_back(site: Stack, clerk: Clerk) -> None:
    """Asked by a process that cannot reach Redis, as the web process is while Redis is down."""
    running = clerk.start()
    found = running.traces()
    cut_off = Clerk(site, PLAYGROUND_REDIS_URL="unix:///nowhere/redis.sock")
    try:
        waiting = cut_off.ask()
        cut_off.stop(running)
        assert (waiting.row["state"], running.row["state"]) == ("creating", "stopping")
        until(lambda: waiting.row["state"] == "running" and running.row["state"] == "stopped", "both are done", 60)
    finally:
        cut_off.leave()
    assert found.left() == {}


def test_a_host_that_was_switched_off_ends_its_machines_with_that_reason(site: Stack, clerk: Clerk) -> None:
    """The state directory is kept; every process, network device, control group and tmpfs is gone."""
    assert site.supervisor is not None
    machine = clerk.start()
    host, found = host_of(site), machine.traces()
    programs = [site.pid(name) for name in PROGRAMS]
    doomed = {machine.pid_of("conmon.pid")} | cgroups.processes(f"{host.cgroup}/{machine.id}")
    site.supervisor.kill()
    for kill, pids in ((os.killpg, programs), (os.kill, doomed)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it has gone with one before it
                kill(pid, signal.SIGKILL)
    site.supervisor.wait()
    until(lambda: not any(psutil.pid_exists(pid) for pid in doomed), "every process is gone")
    cgroups.remove(f"{host.cgroup}/{machine.id}")
    instance.take_down(host)
    assert machine_directory_is_kept(host.directory(machine.id))

    site.start()
    until(lambda: machine.row["state"] == "stopped", "it is ended and removed", 60)
    assert machine.row["end_reason"] == "node-lost"
    assert "was restarted" in machine.row["end_detail"]
    assert found.left() == {}
    fresh = clerk.start()
    fresh.type("secret=fresh")
    fresh.answers("fresh")


def machine_directory_is_kept(directory: Path) -> bool:
    return (directory / "disk.img").exists() and (directory / "spec.json").exists()


@contextmanager
def _full(state: Path, leave: int) -> Iterator[None]:
    """The disk of the site with `leave` bytes left on it."""
    filler = state / "filler"
    with filler.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(state).free - leave - (8 << 20)))
            if not leave:
                file.seek(0, os.SEEK_END)
                with contextlib.suppress(OSError):  # ENOSPC: that is the last byte
                    while True:
                        os.write(file.fileno(), bytes(4096))
            yield
        finally:
            filler.unlink()


def test_a_nearly_full_host_refuses_with_the_reason_and_keeps_what_runs(site: Stack, clerk: Clerk) -> None:
    running = clerk.start()
    running.type("secret=kept")
    with _full(site.installation.state, 300 << 20):
        refused = clerk.ask()
        until(lambda: refused.row["state"] == "failed", "it fails", 30)
        assert "disk is full" in refused.row["end_detail"]
        assert "An admin can free space" in refused.row["end_detail"]
        assert refused.gone()
        running.answers("kept")
    clerk.remove(clerk.start())


def test_a_host_without_a_byte_left_loses_no_shell(site: Stack, clerk: Clerk) -> None:
    running = clerk.start()
    running.type("secret=kept")
    with _full(site.installation.state, 0):
        looked_at = time.monotonic() + 12  # twice and more
        until(lambda: time.monotonic() > looked_at, "the worker tried to write", 20)
    site.until(lambda: site.health()[0] == 200, "the site is well again", 60)
    running.answers("kept")
    assert running.row["state"] == "running"
    clerk.remove(clerk.start())
    found = running.traces()
    clerk.remove(running)
    assert found.left() == {}


def test_without_a_name_server_machines_start_as_fast(site: Stack, tmp_path: Path) -> None:
    """In a mount namespace of its own: a name server that never answers."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 192.0.2.1\noptions timeout:5 attempts:2\n")
    asked = "import socket\ntry: socket.getaddrinfo('example.org', 80)\nexcept OSError as error: print(error)"
    bound = ["unshare", "--mount", "sh", "-ec", f'mount --bind {resolver} /etc/resolv.conf; exec "$@"', "sh"]
    assert subprocess.run([*bound, sys.executable, "-c", asked], capture_output=True, check=True).stdout, "names still resolve"
    run = ["-m", "engine.runtime", "run", "--state", str(site.installation.state), "--image", "linux", "--network", "internet"]
    begun = time.monotonic()
    subprocess.run([*bound, sys.executable, *run, "--", "true"], cwd=SOURCE, check=True, capture_output=True)
    assert time.monotonic() - begun < 8
