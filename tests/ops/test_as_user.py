"""The launcher of unprivileged processes, with the real kernel."""

import contextlib
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.installation import SOURCE
from tests.waiting import until

USER = "nobody"
LOOK = """
import json, os, pathlib
status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines() if ":\\t" in line)
try:
    pathlib.Path("written").touch()
    written = "yes"
except OSError as error:
    written = error.strerror
print(json.dumps({
    "uids": os.getresuid(), "gids": os.getresgid(), "bounding": status["CapBnd"], "effective": status["CapEff"],
    "inheritable": status["CapInh"], "no_new_privs": status["NoNewPrivs"], "files": sorted(os.listdir(".")), "written": written,
    "cwd": os.getcwd(),
}))
"""


def launched(*words: str) -> list[str]:
    return [sys.executable, "-m", "deploy.as_user", "--user", USER, *words]


@pytest.fixture
def app() -> Iterator[Path]:
    # Not pytest's own directory, which every run closes to others.
    parent = Path(os.environ["PLAYGROUND_STATE"]) / "tests"
    parent.mkdir(parents=True, exist_ok=True)
    path = parent / "as-user"
    path.mkdir()
    yield path
    path.rmdir()


def test_it_drops_everything_and_shows_the_source_read_only(app: Path) -> None:
    result = subprocess.run(
        launched("--app", str(app), "--", "/usr/bin/python3", "-c", LOOK), cwd=SOURCE, capture_output=True, text=True, check=True
    )
    seen = json.loads(result.stdout)
    user = pwd.getpwnam(USER)
    assert seen["uids"] == [user.pw_uid] * 3
    assert seen["gids"] == [user.pw_gid] * 3
    assert {seen["bounding"], seen["effective"], seen["inheritable"]} == {"0" * 16}
    assert seen["no_new_privs"] == "1"
    assert seen["cwd"] == str(app)
    assert "manage.py" in seen["files"]
    assert seen["written"] == "Read-only file system"


def test_it_leaves_no_mount_on_the_host(app: Path) -> None:
    subprocess.run(launched("--app", str(app), "--", "true"), cwd=SOURCE, check=True)
    assert str(app) not in Path("/proc/self/mountinfo").read_text()
    assert list(app.iterdir()) == []


def test_its_program_ends_with_the_process_that_started_it(app: Path) -> None:
    """The parent starts it as the supervisor does, tells its pid, and is killed without a chance to clean up."""
    program = launched("--app", str(app), "--", "sleep", "300")
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; p = subprocess.Popen({program!r}); print(p.pid, flush=True); p.wait()"],
        cwd=SOURCE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    command = Path(f"/proc/{pid}/cmdline")
    until(lambda: command.read_bytes().startswith(b"sleep"), "the launcher got to its program", 20)
    started = psutil.Process(pid)
    parent.kill()
    parent.wait()
    try:
        started.wait(timeout=5)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            started.kill()
