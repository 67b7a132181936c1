"""Tells the person at the terminal what set-up does, and keeps the full output of each command in a log."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


class CommandFailed(Exception):
    """A command of set-up failed; `str(error)` has its last lines and where the rest is."""


@dataclass
class Step:
    """One step of set-up: what it says and what it runs."""

    log: Path
    outcome: str = "done"

    def say(self, text: str) -> None:
        print(f"      {text}", flush=True)

    def run(self, argv: Sequence[str | Path], *, show: bool = False, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """Run a command; its output goes to the log and, with `show`, line by line to the terminal too.

        Raises CommandFailed when it cannot be run or ends with a status other than 0.
        """
        words = [str(word) for word in argv]
        last: list[str] = []
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(words)}\n")
            log.flush()
            try:
                process = subprocess.Popen(
                    words,
                    cwd=cwd,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                )
            except OSError as error:
                raise CommandFailed(f"{words[0]} could not be run: {error}") from error
            with process:
                assert process.stdout is not None  # noqa: S101 - stdout=PIPE above
                for line in process.stdout:
                    log.write(line)
                    log.flush()
                    last = [*last[-14:], line.rstrip()]
                    if show:
                        self.say(line.rstrip())
        if process.returncode != 0:
            tail = "\n".join(f"      {line}" for line in last)
            raise CommandFailed(f"{' '.join(words[:4])} ended with status {process.returncode}:\n{tail}\n      All of it: {self.log}")


@dataclass
class Progress:
    """The steps of one run, numbered and timed."""

    total: int
    log: Path
    number: int = field(default=0, init=False)
    started: float = field(default_factory=time.monotonic, init=False)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        self.number += 1
        begun = time.monotonic()
        step = Step(self.log)
        print(f"[{self.number}/{self.total}] {title}", flush=True)
        yield step
        print(f"      {step.outcome}, {time.monotonic() - begun:.1f} s", flush=True)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started
