"""The lab registry's starter images: what `docker pull` finds without a route to the internet, made from Debian packages.

`starters.yaml` says what they are; `<name>/files` and `<name>/hooks` add to them as in a lab image's recipe. Each image is one layer on
top of the one it is `from`, so they share layers as the official ones do. They live under `library/`, where Docker looks for short names.
"""

import json
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.runtime import debian, registry
from engine.runtime.debian import ImageError, Progress
from engine.runtime.recipes import NAME, Package, Suite, digest_of, load_yaml

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PUBLISHED = "starters.json"  # beside the registry's own `docker/` directory: name -> digest of what is served
SCRATCH_DIRECTORIES = {"bin": 0o755, "dev": 0o755, "etc": 0o755, "proc": 0o555, "root": 0o700, "sys": 0o555, "tmp": 0o1777}

Tag = Annotated[str, Field(pattern=r"^[\w][\w.-]{0,127}$")]


class Starter(BaseModel):
    """One image. Without `from` it is a Debian system, or with `extract` (path in the image: path in the packages) only these files."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    description: str = Field(min_length=1)
    tags: tuple[Tag, ...] = Field(min_length=1)
    base: str | None = Field(default=None, alias="from")
    packages: tuple[Package, ...] = ()
    extract: dict[str, str] = {}
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    versions: dict[str, Package] = {}  # environment variable: package whose upstream version it gets
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = ()
    stop_signal: str | None = None


class StartersFile(BaseModel):
    """starters.yaml"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: Suite = "trixie"
    images: dict[Annotated[str, Field(pattern=NAME.pattern)], Starter]


@dataclass(frozen=True)
class Shelf:
    """Where things are while starter images are built: their recipes, and an OCI layout that keeps what was built."""

    recipes_dir: Path
    file: StartersFile
    layout: Path

    def digest(self, name: str) -> str:
        """Names what the recipe gives, as in engine.runtime.recipes."""
        starter = self.file.images[name]
        below = self.digest(starter.base) if starter.base else self.file.suite
        return digest_of([(f"{below} {starter.model_dump_json()}", self.recipes_dir / name)])

    def tag(self, name: str) -> str:
        return f"{name}-{self.digest(name)}"

    def image(self, name: str) -> str:
        return f"{self.layout}:{self.tag(name)}"

    def built(self) -> set[str]:
        """Tags in the layout."""
        if not (self.layout / "index.json").is_file():
            return set()
        manifests = json.loads((self.layout / "index.json").read_text())["manifests"]
        return {manifest["annotations"]["org.opencontainers.image.ref.name"] for manifest in manifests}


def load_starters(recipes_dir: Path) -> StartersFile:
    """starters.yaml of `recipes_dir`. Raises ImageError that names the file and the remedy."""
    path = recipes_dir / "starters.yaml"
    file = load_yaml(path, StartersFile)
    seen: set[str] = set()
    for name, starter in file.images.items():
        if starter.base is not None and starter.base not in seen:
            raise ImageError(f"{path}: {name} is `from: {starter.base}`, which is not above it. Above it: {', '.join(seen) or 'nothing'}.")
        if unknown := set(starter.versions.values()) - set(starter.packages):
            raise ImageError(f"{path}: {name}: `versions` names {', '.join(sorted(unknown))}: add it to `packages`.")
        seen.add(name)
    return file


def build_starters(recipes_dir: Path, work_dir: Path, registry_dir: Path, progress: Progress) -> None:
    """Build what changed and put it into the registry's storage. Raises ImageError."""
    shelf = Shelf(recipes_dir, load_starters(recipes_dir), work_dir / "starters")
    published = _published(registry_dir)
    stale = [name for name in shelf.file.images if published.get(name) != shelf.digest(name)]
    if not stale:
        return
    for program in ("umoci", "skopeo"):
        if shutil.which(program) is None:
            raise ImageError(f"{program} is not installed: apt-get install {program}")
    work_dir.mkdir(parents=True, exist_ok=True)
    registry_dir.mkdir(parents=True, exist_ok=True)
    for name in stale:
        _build(shelf, name, work_dir, progress)
    with registry.pushable(registry_dir, work_dir) as address:
        for name in stale:
            progress(f"registry: adding {name}: {', '.join(shelf.file.images[name].tags)}")
            for tag in shelf.file.images[name].tags:
                _run("skopeo", "copy", "--quiet", "--dest-tls-verify=false",
                     f"oci:{shelf.image(name)}", f"docker://{address}/library/{name}:{tag}")  # fmt: skip
            published[name] = shelf.digest(name)
    for tag in shelf.built() - {shelf.tag(name) for name in shelf.file.images}:
        _run("umoci", "rm", "--image", f"{shelf.layout}:{tag}")
    _run("umoci", "gc", "--layout", str(shelf.layout))
    fresh = registry_dir / f".{PUBLISHED}"
    fresh.write_text(json.dumps(published, indent=1))
    fresh.rename(registry_dir / PUBLISHED)


def _published(registry_dir: Path) -> dict[str, str]:
    try:
        published: dict[str, str] = json.loads((registry_dir / PUBLISHED).read_text())
    except FileNotFoundError:
        return {}
    return published


def _build(shelf: Shelf, name: str, work_dir: Path, progress: Progress) -> None:
    """Build one image into the layout, after the one it is from, unless it is there."""
    if shelf.tag(name) in shelf.built():
        return
    starter = shelf.file.images[name]
    if starter.base:
        _build(shelf, starter.base, work_dir, progress)
    began = time.monotonic()
    progress(f"registry: building {name}")
    with tempfile.TemporaryDirectory(prefix=".starter-", dir=work_dir) as scratch:
        bundle = Path(scratch) / "bundle"
        if starter.base:
            _run("umoci", "unpack", "--image", shelf.image(starter.base), str(bundle))
        else:
            if not shelf.layout.exists():
                _run("umoci", "init", "--layout", str(shelf.layout))
            _run("umoci", "new", "--image", f"{shelf.layout}:empty")
            _run("umoci", "unpack", "--image", f"{shelf.layout}:empty", str(bundle))
        versions = _fill(bundle / "rootfs", shelf, name, Path(scratch))
        made_of = f"Debian {shelf.file.suite}: {' '.join(starter.packages) or 'files'}"
        # The tag is given only with the last step, so that a killed build leaves no image that looks whole.
        _run("umoci", "repack", "--image", f"{shelf.layout}:draft", "--history.created_by", made_of, str(bundle))
        _run("umoci", "config", "--image", f"{shelf.layout}:draft", "--tag", shelf.tag(name), "--no-history", *_config(starter, versions))
    progress(f"registry: built {name} in {time.monotonic() - began:.0f} s")


def _fill(rootfs: Path, shelf: Shelf, name: str, scratch: Path) -> dict[str, str]:
    """Fill the image's root file system; returns the versions of the packages its environment names."""
    starter, directory = shelf.file.images[name], shelf.recipes_dir / name
    if starter.extract:
        for path, mode in SCRATCH_DIRECTORIES.items():
            (rootfs / path).mkdir()
            (rootfs / path).chmod(mode)
        debian.extract(scratch / "packages", shelf.file.suite, starter.packages)
        for target, source in starter.extract.items():
            shutil.copy(scratch / "packages" / source, rootfs / target)
    elif starter.base is None:
        debian.bootstrap(rootfs, shelf.file.suite, starter.packages)
    elif starter.packages:
        debian.extend(rootfs, starter.packages)
    if (directory / "files").is_dir():
        debian.copy_tree(directory / "files", rootfs)
    for hook in sorted((directory / "hooks").glob("*.sh")):
        debian.run_script(rootfs, hook)
    debian.empty_devices(rootfs)
    rootfs.chmod(0o755)
    if not starter.versions:
        return {}
    installed = debian.installed(rootfs)
    return {variable: upstream_version(installed[package]) for variable, package in starter.versions.items()}


def upstream_version(version: str) -> str:
    """`20.19.2` of Debian's `1:20.19.2+dfsg-1+deb13u3`: without epoch, revision and repacking."""
    return re.sub(r"[+~].*$", "", version.split(":")[-1].rsplit("-", 1)[0])


def _config(starter: Starter, versions: dict[str, str]) -> list[str]:
    """The image's configuration as arguments of `umoci config`."""
    environment = [PATH, *(f"{name}={value}" for name, value in (starter.environment | versions).items())]
    options = ["--clear=config.env", "--clear=config.cmd", "--clear=config.entrypoint", "--clear=config.labels"]
    options += [f"--config.env={variable}" for variable in environment]
    options += [f"--config.cmd={word}" for word in starter.command]
    options += [f"--config.entrypoint={word}" for word in starter.entrypoint]
    options += [f"--config.exposedports={port}/tcp" for port in starter.ports]
    options.append(f"--config.label=org.opencontainers.image.description={starter.description}")
    if starter.stop_signal:
        options.append(f"--config.stopsignal={starter.stop_signal}")
    return options


def _run(*argv: str) -> None:
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ImageError(f"`{' '.join(argv[:3])}` failed: {result.stderr.strip()[-1500:]}")
