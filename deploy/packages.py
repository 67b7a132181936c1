"""Debian packages: which are missing, and installing them without letting their services start."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.progress import Step

RUN = (
    "python3-venv",
    "runc",
    "conmon",
    "golang-github-containers-common",  # the seccomp profile that ours is derived from
    "mmdebstrap",
    "debian-archive-keyring",
    "redis-server",
    "docker-registry",
    "skopeo",
    "umoci",
    "nftables",
    "iproute2",
    "e2fsprogs",
    "mount",
    "util-linux",
    "procps",
    "ca-certificates",
)
TEST = ("chromium", "gettext", "lxcfs", "postgresql", "nginx", "openssl", "systemd")
# Packages that would start a server of their own; ours run under our supervisor, with our configuration.
SERVICES = {
    "redis-server": "redis-server",
    "docker-registry": "docker-registry",
    "postgresql": "postgresql",
    "lxcfs": "lxcfs",
    "nginx": "nginx",
}
POLICY = Path("/usr/sbin/policy-rc.d")
SAVED = POLICY.with_suffix(".playground-saved")
# Exit status 101 means "action forbidden" to invoke-rc.d; see its manual page.
REFUSE = "#!/bin/sh\n# made by the playground's set-up while it installs packages\nexit 101\n"


def release() -> str | None:
    """None where this is Debian 12 or 13; otherwise what this is, for a warning."""
    try:
        info = platform.freedesktop_os_release()
    except OSError:
        return "a system without /etc/os-release"
    if info.get("ID") == "debian" and info.get("VERSION_ID") in ("12", "13"):
        return None
    return info.get("PRETTY_NAME", "an unknown system")


def missing(names: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed, in the order given."""
    query = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *names], capture_output=True, text=True, check=False
    )
    installed = {line.split()[0] for line in query.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def restore_policy() -> None:
    """Undo `no_services`, also one whose process was killed."""
    if SAVED.exists() or SAVED.is_symlink():
        SAVED.rename(POLICY)
    elif POLICY.is_file() and POLICY.read_text() == REFUSE:
        POLICY.unlink()


@contextmanager
def no_services() -> Iterator[None]:
    """While inside, no package's installation may start a service."""
    restore_policy()
    if POLICY.exists() or POLICY.is_symlink():
        POLICY.rename(SAVED)
    try:
        POLICY.write_text(REFUSE)
        POLICY.chmod(0o755)
        yield
    finally:
        restore_policy()


def install(step: Step, names: Sequence[str]) -> None:
    """Install what is missing of `names`. Services that come with them neither start now nor at the next boot."""
    wanted = missing(names)
    if not wanted:
        step.outcome = "in place"
        return
    if shutil.which("apt-get") is None:
        raise SystemExit(f"This system has no apt-get. Install by hand: {' '.join(wanted)}")
    step.say(f"installing {' '.join(wanted)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with no_services():
        step.run(["apt-get", "update", "-q"], env=environment)
        step.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *wanted], env=environment)
    if shutil.which("systemctl"):
        for unit in (SERVICES[name] for name in wanted if name in SERVICES):
            step.run(["systemctl", "disable", unit])
