"""A PostgreSQL server of Debian's package for one test, on a socket in a directory of its own."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.waiting import until

USER = "postgres"


def programs() -> Path:
    """The newest server's programs."""
    versions = sorted(Path("/usr/lib/postgresql").iterdir(), key=lambda path: int(path.name))
    return versions[-1] / "bin"


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Yields the URL of an empty database `playground`. The data directory must not exist yet."""
    user = pwd.getpwnam(USER)
    directory.mkdir(parents=True)
    os.chown(directory, user.pw_uid, user.pw_gid)
    directory.chmod(0o755)
    # setpriv: the server must not outlive a test run that is killed.
    as_postgres = ["setpriv", f"--reuid={USER}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig", "INT", "--"]
    data = directory / "data"
    subprocess.run(
        [*as_postgres, str(programs() / "initdb"), "--no-sync", "--auth=trust", "--encoding=UTF8", "--no-locale", "-D", str(data)],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    options = ["-D", str(data), "-c", "listen_addresses=", "-c", f"unix_socket_directories={directory}", "-c", "fsync=off"]
    with subprocess.Popen([*as_postgres, str(programs() / "postgres"), *options], cwd="/") as process:
        try:
            create = [*as_postgres, str(programs() / "createdb"), "-h", str(directory), "playground"]
            until(
                lambda: (
                    process.poll() is not None or subprocess.run(create, stderr=subprocess.DEVNULL, check=False, cwd="/").returncode == 0
                ),
                "PostgreSQL takes connections",
                30,
            )
            assert process.poll() is None, "PostgreSQL ended"
            yield f"postgres://{USER}@{quote(str(directory), safe='')}/playground"
        finally:
            process.terminate()
