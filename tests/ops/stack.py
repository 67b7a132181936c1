"""A whole site of its own under the supervisor: what `make run` starts, on a free port, in a state directory below the tests' one."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy import setup
from deploy.installation import SOURCE, Installation

PROGRAMS = ("redis", "registry", "engine", "beat", "web")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """One site. `start` returns when it printed that it is ready."""

    def __init__(self, name: str, **settings: str) -> None:
        state = Path(os.environ.get("PLAYGROUND_STATE", "/var/lib/playground-test")) / "tests" / name
        self.installation = Installation(state=state, user="playground", bind="127.0.0.1", port=free_port())
        self.environment = {
            **os.environ,
            "PLAYGROUND_STATE": str(state),
            "PLAYGROUND_PORT": str(self.installation.port),
            "PLAYGROUND_POOL": "",
            "PLAYGROUND_NODE": name,
            "PLAYGROUND_REGISTRY_UPSTREAM": "none",
            **settings,
        }
        self.output = state / "output"
        self.supervisor: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """The set-up's steps that this site needs: its directories, secrets and database; the rest is the tests' own."""
        self.installation.claim()
        setup.directories(self.installation)
        setup.keep_secret(self.installation, "secret_key", "x" * 50)
        setup.keep_secret(self.installation, "demo_password", "correct horse battery")
        subprocess.run([sys.executable, "-m", "deploy.site", "--demo"], cwd=SOURCE, env=self.environment, check=True)

    def start(self) -> None:
        with self.output.open("w") as output:
            self.supervisor = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", "deploy.run"],
                cwd=SOURCE,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.until(lambda: " ready, " in self.said(), "the site became ready")

    def said(self) -> str:
        return self.output.read_text()

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
        assert self.supervisor is not None
        end = time.monotonic() + seconds
        while not condition():
            assert self.supervisor.poll() is None, f"the supervisor ended before {what}:\n{self.said()}"
            assert time.monotonic() < end, f"not in {seconds:g} s: {what}:\n{self.said()}"
            time.sleep(0.05)

    def stop(self) -> int:
        assert self.supervisor is not None
        self.supervisor.terminate()
        return self.supervisor.wait(timeout=60)

    def pid(self, name: str) -> int:
        """The process of one of PROGRAMS; 0 while there is none."""
        try:
            return int((self.installation.state / "run" / f"{name}.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return 0

    def manage(self, *words: str) -> str:
        """`manage.py` of this site; returns what it printed."""
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(command, cwd=SOURCE, env=self.environment, check=True, capture_output=True, text=True).stdout

    def health(self) -> tuple[int, dict[str, Any]]:
        """Status and body of /healthz; (0, {}) where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.installation.port}/healthz", timeout=5) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}
