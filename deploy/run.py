"""`make run`'s supervisor: starts every process in order, restarts one that crashes, and leaves nothing behind when it is stopped."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from deploy import children
from deploy.children import Child
from deploy.installation import Installation, from_environment, require_root
from deploy.programs import Program, health, programs

STEADY = 60.0  # a process that ran this long starts again without a pause
LONGEST_PAUSE = 30.0
WHOLE_SITE = 60.0


class StartFailed(Exception):
    """A process did not become ready; `str(error)` has the last lines it wrote."""


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def described(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


class Supervisor:
    """Holds the children of one installation from their start to their stop."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.environment: Mapping[str, str] = {
            **os.environ,
            "PLAYGROUND_STATE": str(installation.state),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "playground.settings",
        }
        self.stopping = asyncio.Event()
        self.force = False
        self.asked_at = 0.0
        self.children: dict[str, Child] = {}
        self.keepers: list[asyncio.Task[None]] = []
        self.failures: dict[str, int] = {}

    def ask_stop(self) -> None:
        """First signal: stop in order. Another one a second later or more: at once. (`make` may pass on what the terminal sent too.)"""
        now = time.monotonic()
        if not self.stopping.is_set():
            self.asked_at = now
            self.stopping.set()
            say("stopping; press Ctrl-C again to stop at once")
        elif now - self.asked_at > 1 and not self.force:
            self.force = True
            say("stopping at once")
            for child in self.children.values():
                if child.process.returncode is None:
                    os.killpg(child.process.pid, signal.SIGKILL)

    async def start(self, program: Program) -> Child:
        child = await children.start(program.name, program.argv, self.installation.state, self.installation.source, self.environment)
        self.children[program.name] = child
        return child

    async def keep(self, program: Program, child: Child) -> None:
        """Restart the program whenever it ends, with a growing pause while it keeps failing."""
        pause = 0.0
        while True:
            begun = time.monotonic()
            status = await child.ended()
            if self.stopping.is_set():
                return
            self.failures[program.name] = self.failures.get(program.name, 0) + 1
            pause = 0.0 if time.monotonic() - begun > STEADY else min(max(0.5, pause * 2), LONGEST_PAUSE)
            say(f"{program.name} ended with {described(status)}; restarting{f' in {pause:g} s' if pause else ''}")
            try:
                await asyncio.wait_for(self.stopping.wait(), pause)
            except TimeoutError:
                child = await self.start(program)
                say(f"{program.name} restarted (process {child.process.pid})")
            else:
                return

    def keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        """A keeper ends by itself only when a program cannot even be executed (or on a bug): then the site cannot go on."""
        if not keeper.cancelled() and keeper.exception() is not None:
            self.stopping.set()

    def last_lines(self, name: str) -> str:
        text = (self.installation.state / "log" / f"{name}.log").read_text(errors="replace")
        return "\n".join(f"    {line}" for line in text.splitlines()[-15:])

    async def until_ready(self, program: Program) -> None:
        """Raises StartFailed when it is not ready in time, or fails twice on the way."""
        try:
            async with asyncio.timeout(program.deadline):
                while not await program.ready():
                    if self.stopping.is_set():
                        return
                    if self.failures.get(program.name, 0) > 1:
                        raise StartFailed(f"{program.name} cannot start. Its last lines:\n{self.last_lines(program.name)}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise StartFailed(
                f"{program.name} was not ready after {program.deadline:g} s. Its last lines:\n{self.last_lines(program.name)}"
            ) from None

    async def until_healthy(self) -> None:
        """Until /healthz says that database, Redis and the engine's node are well."""
        found: dict[str, str] = {}
        try:
            async with asyncio.timeout(WHOLE_SITE):
                while not self.stopping.is_set():
                    found = await health(self.installation)
                    if found.get("status") == "ok":
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            down = ", ".join(f"{part}: {word}" for part, word in found.items() if part != "status") or "no answer"
            raise StartFailed(
                f"The site is not well after {WHOLE_SITE:g} s ({down}). Look into {self.installation.state / 'log'}."
            ) from None

    async def start_all(self, gateway: str) -> None:
        for program in programs(self.installation, gateway):
            if self.stopping.is_set():
                return
            begun = time.monotonic()
            keeper = asyncio.create_task(self.keep(program, await self.start(program)))
            keeper.add_done_callback(self.keeper_ended)
            self.keepers.append(keeper)
            await self.until_ready(program)
            say(f"{program.name} started, {time.monotonic() - begun:.1f} s")
        await self.until_healthy()

    async def stop_all(self) -> None:
        """In the reverse order of the start; what is asked nothing of any more goes first."""
        self.stopping.set()
        for child in reversed(list(self.children.values())):
            await child.stop(force=self.force)
            say(f"{child.name} stopped")
        await asyncio.gather(*self.keepers)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.ask_stop)
        begun = time.monotonic()
        for name in await children.reap_stale(self.installation.state):
            say(f"ended {name}, left by an earlier run that was killed")
        status = 0
        try:
            gateway = bring_up(self.installation)
            await self.start_all(gateway)
            if not self.stopping.is_set():
                say(f"ready, {time.monotonic() - begun:.1f} s")
                print(greeting(self.installation), flush=True)
                await self.stopping.wait()
        except StartFailed as error:
            print(error, file=sys.stderr)
            status = 1
        finally:
            await self.stop_all()
            status = max(status, end_sandboxes(self.installation))
        return status


def runtime_command(installation: Installation, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine.runtime", command, "--state", str(installation.state)],
        cwd=installation.source,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        start_new_session=True,
    )


def bring_up(installation: Installation) -> str:
    """Bridge, firewall and cgroup parents; returns the bridge's address, where the registry listens."""
    result = runtime_command(installation, "up")
    if result.returncode != 0:
        raise StartFailed("The sandboxes' network could not be made; the reason stands above.")
    return str(json.loads(result.stdout)["gateway"])


def end_sandboxes(installation: Installation) -> int:
    """End every sandbox and take the network down: nothing of ours stays on the host."""
    status = runtime_command(installation, "stop-all").returncode
    say("sandboxes ended, network removed" if status == 0 else "something of a sandbox is still on this host; the reason stands above")
    return status


def greeting(installation: Installation) -> str:
    password_file = installation.state / "secrets" / "demo_password"
    password = os.environ.get("PLAYGROUND_DEMO_PASSWORD") or (password_file.read_text().strip() if password_file.exists() else "")
    host = installation.bind if installation.bind not in ("0.0.0.0", "::") else "localhost"  # noqa: S104 - compared, not bound
    return (
        f"\n  The playground is at   http://{f'[{host}]' if ':' in host else host}:{installation.port}/\n"
        f"  Log in as              student, instructor or admin\n"
        f"  Password               {password}\n"
        f"  Logs                   {Path(installation.state, 'log')}\n"
        f"  Stop it with           Ctrl-C\n"
    )


def main() -> int:
    require_root("The site")
    installation = from_environment()
    with installation.locked():
        return asyncio.run(Supervisor(installation).run())


if __name__ == "__main__":
    sys.exit(main())
