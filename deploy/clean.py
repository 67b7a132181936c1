"""`make clean`: stops this installation and deletes its state, and nothing else. Learners' accounts and work go with it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from deploy.installation import Installation, from_environment, require_root, stop

BUILT = ("frontend/dist", "frontend/node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache")


def stop_site(installation: Installation, patience: float = 60.0) -> None:
    """Ask a running supervisor to stop, and wait until it has."""
    pid = installation.holder()
    if not pid:
        return
    print(f"stopping the site (process {pid})", flush=True)
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + patience
    while installation.holder():
        if time.monotonic() > end:
            stop(f"Process {pid} did not stop within {patience:g} s. Nothing was deleted.")
        time.sleep(0.1)


def end_sandboxes(installation: Installation) -> None:
    """Sandboxes of a supervisor that was killed."""
    if not installation.python.exists():
        return
    command = [str(installation.python), "-m", "engine.runtime", "stop-all", "--state", str(installation.state)]
    if subprocess.run(command, cwd=installation.source, check=False).returncode != 0:
        stop("A sandbox could not be ended; the reason stands above. Nothing was deleted.")


def mounts_below(directory: Path) -> list[str]:
    """Mount points at or under the directory, the deepest first. Space is written \\040 in mountinfo; proc(5)."""
    points = [line.split()[4].replace("\\040", " ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((point for point in points if Path(point).is_relative_to(directory)), reverse=True)


def delete_state(installation: Installation) -> None:
    for point in mounts_below(installation.state):
        if point == str(installation.state):  # a disk of its own, mounted by the operator
            continue
        subprocess.run(["umount", point], check=True)
    for entry in installation.state.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != installation.marker:
            entry.unlink()
    installation.marker.unlink()  # last: a clean that was cut short can be repeated
    if not os.path.ismount(installation.state):
        installation.state.rmdir()


def clean(installation: Installation) -> None:
    stop_site(installation)
    if installation.state.is_dir():
        if not installation.marker.is_file():
            stop(f"{installation.state} was not made by `make setup`: nothing was deleted.")
        end_sandboxes(installation)
        delete_state(installation)
        print(f"deleted {installation.state}")
    for name in BUILT:
        if (installation.source / name).is_dir():
            shutil.rmtree(installation.source / name)
            print(f"deleted {name}")


def main() -> int:
    require_root("Cleaning up")
    installation = from_environment()
    if os.environ.get("CONFIRM") != "1":
        stop(
            f"This deletes {installation.state} with all accounts, progress and lab images, and what was built in {installation.source}.\n"
            "If you are sure: make clean CONFIRM=1\n"
            "Debian packages and the system user stay."
        )
    clean(installation)
    return 0


if __name__ == "__main__":
    sys.exit(main())
