"""`make setup`: everything a fresh Debian machine needs before the site can start. Standard library only.

Each step looks whether its result is there already, so a second run takes seconds.
"""

import argparse
import os
import pwd
import secrets
import shutil
import sys
from pathlib import Path

from deploy import frontend, packages, stamps
from deploy.installation import Installation, from_environment, require_root
from deploy.progress import CommandFailed, Progress, Step
from engine import doctor

PYTHON = "/usr/bin/python3"  # Debian's own: a Python under someone's home is closed to the site's unprivileged user


def host(step: Step, group: doctor.Group) -> None:
    """Stop where this machine cannot run sandboxes, with each reason and its remedy."""
    findings = doctor.examine(group)
    for finding in findings:
        if finding.level == "fail":
            step.say(f"{finding.level}: {finding.what}: {finding.found}. {finding.remedy}")
    if any(finding.level == "fail" for finding in findings):
        raise SystemExit("This machine cannot run sandboxes yet: do what stands behind each `fail` above, then run this again.")
    advice = sum(finding.level == "warn" for finding in findings)
    step.outcome = f"{len(findings)} checks passed" + (f", {advice} with advice (make doctor shows it)" if advice else "")


def system_user(step: Step, name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        step.say(f"adding the system user {name}, who cannot log in")
        step.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name]
        )


def directories(installation: Installation) -> None:
    """The state directory's layout, as in docs/architecture.md."""
    user = pwd.getpwnam(installation.user)
    state = installation.state
    layout = [
        ("", 0, 0, 0o755),
        ("db", user.pw_uid, user.pw_gid, 0o700),
        ("secrets", 0, user.pw_gid, 0o750),
        ("run", 0, user.pw_gid, 0o750),
        ("run/redis", user.pw_uid, user.pw_gid, 0o750),
        ("run/registry", user.pw_uid, user.pw_gid, 0o750),
        ("run/gateway", user.pw_uid, user.pw_gid, 0o750),
        ("run/beat", user.pw_uid, user.pw_gid, 0o750),
        ("log", 0, user.pw_gid, 0o770),
        ("log/mail", user.pw_uid, user.pw_gid, 0o700),
        ("media", user.pw_uid, user.pw_gid, 0o750),
        ("registry", user.pw_uid, user.pw_gid, 0o750),
        ("images", 0, 0, 0o711),
        ("sandboxes", 0, 0, 0o711),
        ("static", 0, 0, 0o755),
        ("app", 0, 0, 0o755),
    ]
    for name, uid, gid, mode in layout:
        path = state / name
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, gid)
        path.chmod(mode)
    database = state / "db" / "playground.sqlite3"
    if not database.exists():  # SQLite gives the owner of the database to the files it makes beside it, also when root writes
        database.touch(mode=0o600)
        os.chown(database, user.pw_uid, user.pw_gid)


def keep_secret(installation: Installation, name: str, value: str) -> None:
    """Write a secret once, readable by root and the site's group only."""
    path = installation.state / "secrets" / name
    if path.exists():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(descriptor, "w") as file:
        os.fchown(descriptor, 0, pwd.getpwnam(installation.user).pw_gid)
        os.fchmod(descriptor, 0o640)
        file.write(value + "\n")


def python_environment(step: Step, installation: Installation, *, development: bool) -> None:
    """A virtual environment from the hash-locked requirements."""
    names = ["requirements.txt", "requirements-dev.txt"] if development else ["requirements.txt"]
    locked = [installation.source / name for name in names]
    home = installation.state / "venv"
    wanted = stamps.digest(locked, os.path.realpath(PYTHON))
    if stamps.matches(home / "stamp", wanted):
        step.outcome = "in place"
        return
    step.say("installing the Python packages of " + " and ".join(names))
    step.run([PYTHON, "-m", "venv", "--clear", home])
    each = [word for path in locked for word in ("-r", str(path))]
    step.run([home / "bin" / "python", "-m", "pip", "install", "-q", "--require-hashes", *each])
    stamps.write(home / "stamp", wanted)


def reuse_images(step: Step, installation: Installation, other: Path) -> None:
    """Take over images another installation on this host has built, as hard links; the build then finds those that are current."""
    for current in sorted((other / "images").glob("*/current")):
        source = current.resolve()
        target = installation.state / "images" / current.parent.name / source.name
        if source.is_dir() and not target.exists():
            step.say(f"taking over the image {current.parent.name} from {other}")
            target.parent.mkdir(mode=0o711, exist_ok=True)
            # Under another name until whole: a killed copy must not look like an image.
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            link = "--link" if source.stat().st_dev == target.parent.stat().st_dev else "--reflink=auto"
            step.run(["cp", "--archive", link, source, partial])
            partial.rename(target)
    if (other / "registry" / "docker").is_dir() and not (installation.state / "registry" / "docker").exists():
        step.say(f"taking over the registry's starter images from {other}")
        step.run(["cp", "--archive", "--reflink=auto", f"{other}/registry/.", installation.state / "registry"])


def lab_images(step: Step, installation: Installation) -> None:
    step.run(
        [installation.python, "-m", "engine.runtime", "images", "build", "--state", installation.state],
        show=True,
        cwd=installation.source,
    )
    # The build is root; the registry's process is not, and where it caches an upstream it writes.
    owner = f"{installation.user}:{pwd.getpwnam(installation.user).pw_gid}"
    step.run(["chown", "--recursive", "--no-dereference", owner, installation.state / "registry"])


def site(step: Step, installation: Installation, *, demo: bool) -> None:
    """Database, static files, course and demo accounts, in one process: starting Django costs more than the work."""
    arguments = ["--demo"] if demo else []
    step.run([installation.python, "-m", "deploy.site", *arguments], show=True, cwd=installation.source)


def set_up(installation: Installation, *, development: bool = False, demo: bool = True, reuse: Path | None = None) -> Progress:
    """All steps in order. Raises CommandFailed or SystemExit at the first that fails."""
    progress = Progress(total=8, log=installation.state / "log" / "setup.log")
    with progress.step("This machine's kernel") as step:
        if other := packages.release():
            step.say(f"warn: this is {other}; set-up is tested on Debian 12 and 13 (Ubuntu is untested)")
        host(step, "kernel")
    with progress.step("Debian packages") as step:
        packages.install(step, [*packages.RUN, *packages.TEST] if development else packages.RUN)
    with progress.step("This machine's tools") as step:
        host(step, "tools")
    with progress.step(f"System user and {installation.state}") as step:
        system_user(step, installation.user)
        directories(installation)
        keep_secret(installation, "secret_key", secrets.token_urlsafe(50))
        if demo:
            keep_secret(installation, "demo_password", secrets.token_urlsafe(9))
    with progress.step("Python environment") as step:
        python_environment(step, installation, development=development)
    with progress.step("Pages") as step:
        frontend.build(step, installation)
    with progress.step("Lab images") as step:
        if reuse and reuse != installation.state:
            reuse_images(step, installation, reuse)
        lab_images(step, installation)
    with progress.step("Site") as step:
        site(step, installation, demo=demo)
    return progress


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m deploy.setup", description="Set up what is missing, start nothing.")
    parser.add_argument("--production", action="store_true", help="no demo accounts")
    arguments = parser.parse_args()
    require_root("Set-up")
    installation = from_environment()
    os.umask(0o022)
    with installation.locked():  # not under a running site, and not two at once
        try:
            progress = set_up(installation, demo=not arguments.production)
        except CommandFailed as error:
            print(f"\nSet-up stopped: {error}", file=sys.stderr)
            return 1
    print(f"Set-up took {progress.seconds:.1f} s.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
