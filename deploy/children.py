"""Child processes of the supervisor: each leads a process group, leaves a pid file, and can be ended whole."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10.0  # seconds between asking a process to end and ending it
LARGEST_LOG = 16 << 20


def birth(pid: int) -> str | None:
    """When a process began, in clock ticks since boot, with the boot's id: with the pid it names one process for ever. proc(5), stat."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else f"{fields[19]}@{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"


def _signal_group(pid: int, number: signal.Signals) -> bool:
    """Signal the whole group; False when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
        return True
    return False


def _open_log(path: Path) -> int:
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    # Not group-writable, and never through a link: the directory belongs to the site's group.
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)


@dataclass
class Child:
    """One running process."""

    name: str
    process: asyncio.subprocess.Process
    pid_file: Path

    async def ended(self) -> int:
        """Wait for its end, then end what it left in its group (a worker's pool). Returns the exit status, negative for a signal."""
        status = await self.process.wait()
        _signal_group(self.process.pid, signal.SIGKILL)
        return status

    async def stop(self, *, force: bool = False) -> None:
        """Ask it to end; end its whole group when it has not after PATIENCE seconds, or at once with `force`."""
        with contextlib.suppress(ProcessLookupError):
            if not force:
                self.process.terminate()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.process.wait(), PATIENCE)
        _signal_group(self.process.pid, signal.SIGKILL)
        await self.ended()
        self.pid_file.unlink(missing_ok=True)


async def start(name: str, argv: tuple[str, ...], state: Path, source: Path, environment: Mapping[str, str]) -> Child:
    log = _open_log(state / "log" / f"{name}.log")
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=source, env=environment, start_new_session=True
        )
    finally:
        os.close(log)
    pid_file = state / "run" / f"{name}.pid"
    fresh = pid_file.with_suffix(".new")
    fresh.write_text(f"{process.pid} {birth(process.pid)}\n")
    fresh.replace(pid_file)  # whole at any moment: what crashed keeps its old one until it is restarted
    return Child(name, process, pid_file)


async def _gone(pid: int, born: str) -> None:
    """Until a process that is not our child has ended: only its /proc entry tells."""
    while birth(pid) == born:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def reap_stale(state: Path) -> list[str]:
    """End what a killed supervisor left running, found by its pid files. Returns the names. A pid that now is another process is let be."""
    reaped = []
    for path in sorted((state / "run").glob("*.pid")):
        word, _, born = path.read_text().strip().partition(" ")
        pid = int(word) if word.isdigit() else 0
        now = birth(pid) if pid > 1 else None
        if now == born and now is not None:
            reaped.append(path.stem)
            _signal_group(pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_gone(pid, born), PATIENCE)
        # The leader is gone or ours, so a group of that number is what ours left: the kernel reuses no number that still is a group's.
        if pid > 1 and birth(pid) in (None, born) and _signal_group(pid, signal.SIGKILL):
            reaped.append(f"{path.stem} (what it left)")
        path.unlink()
    return reaped
