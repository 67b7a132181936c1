"""A running site of the measurements' own, and accounts on it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.installation import SOURCE
from tests.bench.visitor import Visitor
from tests.ops.stack import Stack

PASSWORD = "correct horse battery"
BUILT = Path(os.environ.get("PLAYGROUND_STATE", "/var/lib/playground"))
ACCOUNTS = """
from django.contrib.auth.models import User
for number in range({count}):
    User.objects.create_user(f"visitor{{number}}", password={password!r})
"""


@contextmanager
def site(pool: str = "", **settings: str) -> Iterator[Stack]:
    """A running site with this warm pool."""
    stack = Stack("bench", PLAYGROUND_POOL=pool, **settings)
    stack.installation.claim()
    for built in ("images", "registry"):
        if not (stack.installation.state / built).is_symlink():
            (stack.installation.state / built).symlink_to(BUILT / built)
    shutil.rmtree(stack.installation.state / "db", ignore_errors=True)
    stack.prepare()
    subprocess.run(
        [sys.executable, "manage.py", "course", "import", "courses/docker"],
        cwd=SOURCE,
        env=stack.environment,
        check=True,
        capture_output=True,
    )
    stack.start()
    try:
        yield stack
    finally:
        stack.stop()


def visitors(stack: Stack, count: int) -> list[Visitor]:
    """So many accounts, each signed in."""
    stack.manage("shell", "--no-imports", "-c", ACCOUNTS.format(count=count, password=PASSWORD))
    return [Visitor(stack.installation.port, f"visitor{number}", PASSWORD) for number in range(count)]
