"""One site on a small disk of its own, with things of others beside it. After each test it is whole again and nothing is left."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime import sandbox
from tests.ops.stack import Stack
from tests.recovery import foreign
from tests.recovery.machine import Clerk, Machine, host_of, rows
from tests.waiting import until

DISK = 3 << 30  # bytes, sparse
RESTARTS_WITHOUT_A_LONG_PAUSE = 3  # the supervisor doubles its pause each time


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


@pytest.fixture(scope="session")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state directory on an ext4 of its own, which a test can fill to the last byte."""
    image, state = tmp_path_factory.mktemp("disk") / "disk.img", Stack("recovery").installation.state
    if state.is_mount():  # of a run that was killed
        _run("umount", "--lazy", str(state))
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(DISK)
    _run("mkfs.ext4", "-q", "-m", "0", str(image))
    _run("mount", "-o", "loop", str(image), str(state))
    (state / "lost+found").rmdir()
    yield state
    _run("umount", str(state))


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[foreign.Foreign]:
    with foreign.things(tmp_path_factory.mktemp("foreign")) as made:
        yield made
        assert made.missing() == []


@pytest.fixture(scope="session")
def site(small_disk: Path, others: foreign.Foreign) -> Iterator[Stack]:
    stack = Stack("recovery", PLAYGROUND_MAX_PER_USER="8", PLAYGROUND_MAX_SANDBOXES="16")
    stack.installation.claim()
    for name in ("images", "registry"):
        (small_disk / name).symlink_to(Path(os.environ["PLAYGROUND_STATE"]) / name)
    stack.prepare()
    stack.start()
    yield stack
    assert stack.stop() == 0, stack.said()


@pytest.fixture(scope="session")
def clerk(site: Stack) -> Iterator[Clerk]:
    made = Clerk(site)
    yield made
    made.leave()


@pytest.fixture(autouse=True)
def _whole_again(site: Stack, clerk: Clerk, others: foreign.Foreign) -> Iterator[None]:
    if site.said().count("engine restarted") >= RESTARTS_WITHOUT_A_LONG_PAUSE:
        assert site.stop() == 0, site.said()
        site.start()
    yield
    site.until(lambda: site.health()[0] == 200, "the site is well again", 60)
    for name, row in rows(site).items():
        if row["state"] not in ("stopped", "failed"):
            clerk.remove(Machine(site, name))
    host = host_of(site)
    until(lambda: sandbox.present(host) == set(), "nothing of any sandbox is left", 60)
    assert others.missing() == []
