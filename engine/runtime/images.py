"""Lab images: built from recipes, named by content, found by name.

<images_dir>/<name>/<digest>/rootfs          a sandbox's lower layer: never changed after it is built
<images_dir>/<name>/<digest>/manifest.json   what it is and what is in it
<images_dir>/<name>/current                  symlink to the digest that new sandboxes get
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.runtime import debian, saved, starters
from engine.runtime.debian import ImageError, Progress
from engine.runtime.recipes import Recipe, load_recipe, recipe_names
from engine.runtime.spec import Limits, ProfileName

__all__ = ["Image", "ImageError", "build", "build_all", "current", "list_images", "load_recipe", "prune"]

# Each sandbox has its own (the runtime writes them above the image); a plain file in the image is what its tools expect there.
IDENTITY = {"hostname": "lab\n", "hosts": "127.0.0.1 localhost\n", "resolv.conf": "", "machine-id": ""}


class Manifest(BaseModel):
    """manifest.json beside a rootfs."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str
    built_at: datetime
    title: str
    description: str
    profile: ProfileName
    init: tuple[str, ...]
    limits: Limits
    docker: str | None
    packages: dict[str, str]


@dataclass(frozen=True)
class Image:
    """A built image: the root file system, its PID 1, and what a sandbox of it gets by default."""

    name: str
    digest: str
    rootfs: Path
    init: tuple[str, ...]
    profile: ProfileName
    title: str
    description: str
    limits: Limits


def build(recipe: Recipe, images_dir: Path, progress: Progress) -> Image:
    """Build the image, after its base, unless its digest is there already, and make it current.

    Raises ImageError; the current image then stays what it was. A killed build leaves a `.build-*` directory; the next one removes it.
    """
    _traversable(images_dir)
    if not _is_whole(_directory(images_dir, recipe)):
        with _only_builder(images_dir):
            _build(recipe, images_dir, progress)
    _make_current(_directory(images_dir, recipe))
    return current(images_dir, recipe.name)


def _directory(images_dir: Path, recipe: Recipe) -> Path:
    return images_dir / recipe.name / recipe.digest


def _is_whole(directory: Path) -> bool:
    """The manifest is written last and removed first."""
    return (directory / "manifest.json").is_file()


def _build(recipe: Recipe, images_dir: Path, progress: Progress) -> None:
    target = _directory(images_dir, recipe)
    if _is_whole(target):  # another builder, while this one waited for the lock; or a base that is current
        return
    if recipe.base:
        _build(recipe.base, images_dir, progress)
    began = time.monotonic()
    progress(f"{recipe.name}: installing {len(recipe.file.packages)} packages and what they need")
    with tempfile.TemporaryDirectory(prefix=".build-", dir=images_dir) as scratch:
        draft = Path(scratch) / "draft"
        draft.mkdir()
        draft.chmod(0o711)
        _fill(draft / "rootfs", recipe, images_dir)
        manifest = _manifest(recipe, debian.installed(draft / "rootfs"))
        (draft / "manifest.json").write_text(manifest.model_dump_json(indent=1))
        os.sync()
        _traversable(target.parent)
        if target.exists():  # half removed
            shutil.rmtree(target)
        draft.rename(target)
    progress(f"{recipe.name}: {len(manifest.packages)} packages in {time.monotonic() - began:.0f} s")


def _fill(rootfs: Path, recipe: Recipe, images_dir: Path) -> None:
    if recipe.base:
        subprocess.run(["cp", "--archive", "--reflink=auto", _directory(images_dir, recipe.base) / "rootfs", rootfs], check=True)
        debian.extend(rootfs, recipe.file.packages)
    else:
        rootfs.mkdir()
        debian.bootstrap(rootfs, recipe.file.suite, recipe.file.packages)
    if (tree := recipe.directory / "files").is_dir():
        debian.copy_tree(tree, rootfs)
    for hook in sorted((recipe.directory / "hooks").glob("*.sh")):
        debian.run_script(rootfs, hook)
    for name, text in IDENTITY.items():
        (rootfs / "etc" / name).unlink(missing_ok=True)  # a link or a copy of the host's
        (rootfs / "etc" / name).write_text(text)
        (rootfs / "etc" / name).chmod(0o644)
    (rootfs / "var/lib/docker").mkdir(mode=0o710, exist_ok=True)
    debian.empty_devices(rootfs)
    rootfs.chmod(0o755)


def _manifest(recipe: Recipe, packages: dict[str, str]) -> Manifest:
    return Manifest(
        name=recipe.name,
        digest=recipe.digest,
        built_at=datetime.now(UTC),
        title=recipe.file.title,
        description=recipe.file.description,
        profile=recipe.file.profile,
        init=recipe.file.init,
        limits=recipe.file.limits,
        docker=packages.get("docker.io"),
        packages=packages,
    )


@contextmanager
def _only_builder(images_dir: Path) -> Iterator[None]:
    """Hold the builder's lock; what an earlier builder left half done is removed under it."""
    with (images_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in images_dir.glob(".build-*"):
            shutil.rmtree(leftover)
        yield


def _traversable(directory: Path) -> None:
    """0711: a sandbox's root, an unprivileged user to the host, reaches the rootfs through it but lists nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o711)


def _make_current(target: Path) -> None:
    """Swing the symlink in one step: a sandbox made meanwhile gets the old image or the new one."""
    link = target.parent / "current"
    if link.is_symlink() and str(link.readlink()) == target.name:
        return
    fresh = target.parent / ".current"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    fresh.rename(link)


def current(images_dir: Path, name: str) -> Image:
    """The image that new sandboxes of this name get. Raises ImageError that names the images there are."""
    known = _names(images_dir)
    if name not in known:
        there = f"There are: {', '.join(known)}." if known else "None is built yet: run `make setup`."
        raise ImageError(f"There is no image {name!r}. {there}")
    return at(images_dir, name, str((images_dir / name / "current").readlink()))


def at(images_dir: Path, name: str, digest: str) -> Image:
    """That very build of the image, current or not: what is on a saved disk fits over no other. Raises ImageError."""
    directory = images_dir / name / digest
    if not directory.is_dir():
        raise ImageError(f"The build {digest[:12]} of the image {name!r} is not on this machine any more.")
    try:
        manifest = Manifest.model_validate_json((directory / "manifest.json").read_text())
    except (OSError, ValidationError) as error:
        raise ImageError(f"The image {name!r} in {directory} is damaged. Remove that directory and run `make setup`.") from error
    return Image(
        name=manifest.name,
        digest=manifest.digest,
        rootfs=directory / "rootfs",
        init=manifest.init,
        profile=manifest.profile,
        title=manifest.title,
        description=manifest.description,
        limits=manifest.limits,
    )


def _names(images_dir: Path) -> list[str]:
    return sorted(link.parent.name for link in images_dir.glob("*/current"))


def list_images(images_dir: Path) -> list[Image]:
    """Every image that sandboxes can be made from, by name."""
    return [current(images_dir, name) for name in _names(images_dir)]


def prune(images_dir: Path, saved_dir: Path, in_use: Collection[str]) -> list[Path]:
    """Remove builds that are neither current, nor in `in_use` (digests of running sandboxes), nor what a saved machine was made from.

    Returns what went.
    """
    gone = []
    with _only_builder(images_dir):
        for name in _names(images_dir):
            keep = {str((images_dir / name / "current").readlink()), "current", *in_use, *saved.digests(saved_dir)}
            for entry in (images_dir / name).iterdir():
                if entry.name not in keep:
                    # The manifest first: a build that is half removed is no image.
                    (entry / "manifest.json").unlink(missing_ok=True)
                    shutil.rmtree(entry)
                    gone.append(entry)
    return gone


def build_all(recipes_dir: Path, images_dir: Path, registry_dir: Path, work_dir: Path, progress: Progress) -> list[Image]:
    """Build every lab image, then the registry's starter images; what is current is skipped. Raises ImageError."""
    recipes = [load_recipe(recipes_dir / name) for name in sorted(recipe_names(recipes_dir))]
    built = [build(recipe, images_dir, progress) for recipe in recipes]
    starters.build_starters(recipes_dir / "starters", work_dir, registry_dir, progress)
    return built
