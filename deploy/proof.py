"""`make test`: an installation of its own beside any other, then every linter and every test; one line at the end sums up."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from deploy import children, frontend
from deploy.installation import Installation, from_environment, require_root
from deploy.progress import CommandFailed, Step
from deploy.setup import set_up

TEST_STATE = "/var/lib/playground-test"


@dataclass(frozen=True)
class Outcome:
    """How one suite ended."""

    name: str
    passed: int
    failed: int
    seconds: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def states(root: Path) -> Iterator[Path]:
    """The test installation, and those that tests made below it: each is known by its marker."""
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in ("images", "registry", "venv", "node", "sandboxes", "app")]
        if ".playground" in files:
            yield Path(directory)


def clear_leftovers(installation: Installation) -> None:
    """End the processes and sandboxes of a test run that was killed."""
    for state in states(installation.state):
        for name in asyncio.run(children.reap_stale(state)):
            print(f"ended {name}, left in {state}")
        if installation.python.exists():
            subprocess.run([installation.python, "-m", "engine.runtime", "stop-all", "--state", state], cwd=installation.source, check=True)
    shutil.rmtree(installation.state / "tests", ignore_errors=True)


def counted(report: Path) -> tuple[int, int]:
    """Passed and failed tests of a JUnit report; an error counts as a failure."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314 - our own test runners wrote it
    total, skipped, bad = (sum(int(suite.get(word, 0)) for suite in suites) for word in ("tests", "skipped", "failures"))
    bad += sum(int(suite.get("errors", 0)) for suite in suites)
    return total - skipped - bad, bad


def suite(name: str, argv: Sequence[str | Path], environment: Mapping[str, str], cwd: Path, report: Path | None = None) -> Outcome:
    """Run one suite with its output on the terminal. Without a report it counts as one test."""
    print(f"\n== {name}", flush=True)
    begun = time.monotonic()
    if report:
        report.unlink(missing_ok=True)
    status = subprocess.run([str(word) for word in argv], env=environment, cwd=cwd, check=False).returncode
    passed, failed = counted(report) if report and report.exists() else (int(status == 0), int(status != 0))
    # A runner that failed without a failed test (a crash, nothing collected) is a failure all the same.
    return Outcome(name, passed, failed or int(status != 0), time.monotonic() - begun)


def suites(installation: Installation, binaries: Path, reports: Path) -> Iterator[Outcome]:
    tools = installation.state / "venv" / "bin"
    environment = {
        **frontend.environment(binaries),
        "PLAYGROUND_STATE": str(installation.state),
        "PLAYGROUND_PORT": str(installation.port),
        "TOOLS": str(tools),
    }
    source = installation.source
    yield suite("linters", ["make", "--no-print-directory", "lint", f"TOOLS={tools}"], environment, source)
    report = reports / "vitest.xml"
    vitest: list[str | Path] = [
        binaries / "npx",
        "--no",
        "vitest",
        "run",
        "--reporter=default",
        "--reporter=junit",
        f"--outputFile.junit={report}",
    ]
    yield suite("pages' scripts (vitest)", vitest, environment, source / "frontend", report)
    # Synchronous Playwright leaves a running event loop behind, which breaks asynchronous tests: a process of its own.
    for name, paths in (("Python", ["--ignore=tests/browser", "tests"]), ("browser", ["tests/browser"])):
        report = reports / f"{name}.xml"
        yield suite(f"{name} tests", [tools / "pytest", f"--junitxml={report}", *paths], environment, source, report)


def test_installation() -> Installation:
    """The installation that tests run in. What the operator set for the real site does not reach it."""
    for name in [name for name in os.environ if name.startswith("PLAYGROUND_") and name != "PLAYGROUND_TEST_STATE"]:
        del os.environ[name]
    os.environ["PLAYGROUND_STATE"] = os.environ.get("PLAYGROUND_TEST_STATE", TEST_STATE)
    os.environ["PLAYGROUND_PORT"] = str(free_port())
    return from_environment()


def main() -> int:
    require_root("Testing")
    os.umask(0o022)
    reuse = Path(os.environ.get("PLAYGROUND_STATE", "/var/lib/playground"))
    installation = test_installation()
    with installation.locked():
        try:
            clear_leftovers(installation)
            set_up(installation, development=True, reuse=reuse)
            step = Step(installation.state / "log" / "setup.log")
            binaries = frontend.toolchain(step, installation)
            frontend.install(step, installation, binaries)
        except CommandFailed as error:
            print(f"\nSet-up stopped: {error}", file=sys.stderr)
            return 1
    reports = installation.state / "reports"
    reports.mkdir(exist_ok=True)
    outcomes = list(suites(installation, binaries, reports))
    clear_leftovers(installation)
    print("\n== result")
    for outcome in outcomes:
        print(f"{outcome.name}: {outcome.passed} passed, {outcome.failed} failed, {outcome.seconds:.0f} s")
    failed = sum(outcome.failed for outcome in outcomes)
    print(f"{sum(outcome.passed for outcome in outcomes)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
