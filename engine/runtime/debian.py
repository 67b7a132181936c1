"""Root file systems of Debian packages, made with mmdebstrap: by itself, or on top of one that is there."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.runtime.errors import SandboxError

Progress = Callable[[str], None]

MIRROR = "http://deb.debian.org/debian"
SECURITY_MIRROR = "http://deb.debian.org/debian-security"

# Never unpacked, now or when a learner installs something: manual pages and other languages are a third of a small system.
# Licences stay, as they ask.
UNWANTED = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
    # Optional translations of long package descriptions and the like.
    "path-exclude=/usr/share/bug/*",
)
CACHES = ("var/lib/apt/lists/*", "var/cache/apt/*", "var/cache/debconf/*", "var/lib/dpkg/*-old", "tmp/*", "run/*")


class ImageError(SandboxError):
    """An image, a recipe or the registry is not as it must be; the message says what to do."""


def bootstrap(rootfs: Path, suite: str, packages: Iterable[str]) -> None:
    """Make a system of `suite` with apt and `packages` in the empty directory `rootfs`. Raises ImageError."""
    sources = [f"deb {MIRROR} {suite} main", f"deb {MIRROR} {suite}-updates main", f"deb {SECURITY_MIRROR} {suite}-security main"]
    _mmdebstrap("--variant=apt", f"--include={','.join(packages)}", suite, str(rootfs), *sources)
    _clean(rootfs)


def extend(rootfs: Path, packages: Iterable[str]) -> None:
    """Install `packages` into the system in `rootfs`. Raises ImageError."""
    empty_devices(rootfs)  # mmdebstrap makes them anew and would stumble over those that are there
    _mmdebstrap("--variant=custom", "--skip=check/empty", f"--include={','.join(packages)}", "", str(rootfs))
    _clean(rootfs)


def extract(target: Path, suite: str, packages: Iterable[str]) -> None:
    """Unpack `packages` with what they depend on into the empty directory `target`, without setting anything up. Raises ImageError."""
    _mmdebstrap("--variant=extract", f"--include={','.join(packages)}", suite, str(target), f"deb {MIRROR} {suite} main")


def _mmdebstrap(*arguments: str) -> None:
    if shutil.which("mmdebstrap") is None:
        raise ImageError("mmdebstrap is not installed: apt-get install mmdebstrap")
    options = [f"--dpkgopt={option}" for option in UNWANTED]
    result = subprocess.run(
        ["mmdebstrap", "--mode=root", "--format=directory", *options, *arguments],
        capture_output=True, text=True, check=False, env=_environment(),
    )  # fmt: skip
    if result.returncode != 0:
        raise ImageError(
            f"mmdebstrap could not install the packages (can this machine reach {MIRROR}?). Its last words:\n"
            + "\n".join(result.stderr.strip().splitlines()[-12:])
        )


def _environment() -> dict[str, str]:
    """C.UTF-8, no questions, and the caller's proxy settings if any."""
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    return kept | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def run_script(rootfs: Path, script: Path) -> None:
    """Run a shell script inside `rootfs`, with a /proc of its own. Raises ImageError with what it printed."""
    result = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={rootfs}", "--mount-proc", "/bin/sh", "-e", "-s"],
        input=script.read_bytes(), capture_output=True, check=False, env=_environment() | {"HOME": "/root"}, umask=0o022,
    )  # fmt: skip
    if result.returncode != 0:
        output = (result.stdout + result.stderr).decode(errors="replace").strip()
        raise ImageError(f"{script} ended with status {result.returncode}:\n{output[-2000:]}")


def _clean(rootfs: Path) -> None:
    """Empty what a running system fills by itself. apt works without: it makes its directories again."""
    for pattern in CACHES:
        for path in list(rootfs.glob(pattern)):
            _remove(path)
    for path in (rootfs / "var/log").rglob("*"):
        if not path.is_dir():  # a daemon's log directory is part of its package
            path.unlink()


def empty_devices(rootfs: Path) -> None:
    """Remove the device nodes mmdebstrap made: a sandbox gets its own /dev, and an image has none."""
    for path in list((rootfs / "dev").iterdir()):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def copy_tree(source: Path, rootfs: Path) -> None:
    """Copy `source` over `rootfs`: owned by root, executables 0755, the rest 0644, whatever the checkout's owner and umask were."""
    for path in sorted(source.rglob("*")):
        target = rootfs / path.relative_to(source)
        if path.is_symlink():
            target.unlink(missing_ok=True)
            target.symlink_to(path.readlink())
        elif path.is_dir():
            if not target.is_dir():
                target.mkdir()
                target.chmod(0o755)
        else:
            target.unlink(missing_ok=True)
            shutil.copyfile(path, target)
            target.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def installed(rootfs: Path) -> dict[str, str]:
    """Version of each package in `rootfs`."""
    listing = subprocess.run(
        ["dpkg-query", f"--admindir={rootfs}/var/lib/dpkg", "--show", "--showformat=${Package} ${Version}\n"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split(" ", 1) for line in listing.stdout.splitlines())
