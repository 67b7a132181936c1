"""Start a program as the unprivileged user: `python -m deploy.as_user --user U [--app DIR] -- PROGRAM ...`.

With --app, the source tree is bind-mounted there, read-only, in a mount namespace of the program's own: the clone may lie under a home
directory that is closed to everyone but root, and the site must neither need it opened nor be able to change it.
"""

import argparse
import os
import pwd
import sys
from pathlib import Path

from deploy.installation import SOURCE
from engine.runtime import mounts

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_SLAVE = 0x1, 0x20, 0x1000, 0x80000


def privileges(user: str) -> list[str]:
    """The setpriv command that drops everything root has; setpriv(1).

    The parent-death signal comes last of all there, after the ids change, which would clear it (prctl(2), PR_SET_PDEATHSIG).
    """
    return [
        "setpriv",
        *(f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--init-groups"),
        *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"),
        *("--pdeathsig", "TERM", "--"),
    ]


def enter_app(app: Path) -> None:
    """Show the source tree at `app`, read-only, to this process and its children only."""
    if mounts.libc.unshare(mounts.CLONE_NEWNS) != 0:
        raise OSError("unshare of the mount namespace failed: only root may start this")
    mounts.mount("none", "/", "none", mounts.MS_REC | MS_SLAVE)
    mounts.mount(str(SOURCE), str(app), "none", MS_BIND)
    mounts.mount("none", str(app), "none", MS_REMOUNT | MS_BIND | MS_RDONLY | mounts.MS_NOSUID | mounts.MS_NODEV)
    os.chdir(app)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.as_user", description=__doc__)
    parser.add_argument("--user", required=True)
    parser.add_argument("--app", type=Path, help="where the program sees the source tree")
    parser.add_argument("argv", nargs="+", metavar="PROGRAM")
    arguments = parser.parse_args()
    if arguments.app:
        enter_app(arguments.app)
    os.environ |= {"HOME": "/nonexistent", "USER": arguments.user, "LOGNAME": arguments.user}
    command = [*privileges(arguments.user), *arguments.argv]
    sys.stdout.flush()
    os.execvp(command[0], command)  # noqa: S606 - argv, no shell


if __name__ == "__main__":
    main()
