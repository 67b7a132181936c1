"""Recipes: what they say, what names a build, and what a person reads when one is wrong. Building itself: `make setup`, test_kernel."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.runtime import debian, registry, starters
from engine.runtime.errors import SandboxError
from engine.runtime.images import ImageError, build, current, list_images, load_recipe, prune
from engine.runtime.recipes import recipe_names
from engine.runtime.spec import GIB, MIB

RECIPES = Path(__file__).resolve().parents[2] / "images"
RECIPE = "title: Shell\ninit: [/usr/bin/tini, --, sleep, infinity]\npackages: [tini]\n"

WriteRecipe = Callable[..., Path]


@pytest.fixture
def write_recipe(tmp_path: Path) -> WriteRecipe:
    def write(text: str = RECIPE, name: str = "shell") -> Path:
        directory = tmp_path / "recipes" / name
        (directory / "files" / "etc").mkdir(parents=True, exist_ok=True)
        (directory / "recipe.yaml").write_text(text)
        (directory / "files" / "etc" / "greeting").write_text("hello\n")
        return directory

    return write


def lay_image(images_dir: Path, name: str, digest: str) -> Path:
    """An image directory as a build leaves it, but for the content of its root file system."""
    directory = images_dir / name / digest
    (directory / "rootfs").mkdir(parents=True)
    manifest = {
        "name": name, "digest": digest, "built_at": "2026-01-01T00:00:00Z", "title": "Shell", "description": "",
        "profile": "basic", "init": ["/usr/bin/tini"], "limits": {}, "docker": None, "packages": {"tini": "0.19.0"},
    }  # fmt: skip
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return directory


def make_current(images_dir: Path, name: str, digest: str) -> None:
    (images_dir / name / "current").unlink(missing_ok=True)
    (images_dir / name / "current").symlink_to(digest)


def test_the_projects_own_recipes_load() -> None:
    assert recipe_names(RECIPES) == {"linux", "docker"}
    linux, docker = load_recipe(RECIPES / "linux"), load_recipe(RECIPES / "docker")
    assert linux.file.profile == "basic"
    assert linux.base is None
    assert docker.file.profile == "docker"
    assert docker.base == linux
    assert docker.file.limits.memory == GIB
    assert [recipe.name for recipe in docker.chain] == ["linux", "docker"]


def test_limits_are_written_with_units_and_have_defaults(write_recipe: WriteRecipe) -> None:
    recipe = load_recipe(write_recipe(RECIPE + "limits: {memory: 768MiB, disk: 3GiB}\n"))
    assert recipe.file.limits.memory == 768 * MIB
    assert recipe.file.limits.disk == 3 * GIB
    assert recipe.file.limits.pids == 256


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RECIPE + "pakages: [vim]\n", ["recipe.yaml:4", "pakages", "Did you mean `packages`?"]),
        (RECIPE.replace("title: Shell\n", ""), ["title", "is missing"]),
        (RECIPE + "profile: root\n", ["recipe.yaml:4", "'basic' or 'docker'", "'root'"]),
        (RECIPE + "limits: {memory: lots}\n", ["recipe.yaml:4", "'lots' is not a size", "512MiB"]),
        (RECIPE + "limits:\n  memory: 1MiB\n", ["recipe.yaml:5", "limits.memory", "greater than or equal"]),
        (RECIPE.replace("[tini]", "\n- tini\n- 'x; reboot'"), ["recipe.yaml:5", "x; reboot", "not the name of a Debian package"]),
        (RECIPE + "title: Twice\n", ["recipe.yaml is not YAML", "duplicate key"]),
        ("title: [\n", ["recipe.yaml is not YAML", "line"]),
        ("", ["recipe.yaml", "title: ..."]),
        (RECIPE + "base: nosuch\n", ["no recipe 'nosuch'", "There are: none"]),
        (RECIPE + "base: shell\n", ["builds on 'shell' itself"]),
        (RECIPE + "base: other\nsuite: trixie\n", ["suite is that of the base", "Take `suite` out"]),
    ],
)
def test_a_wrong_recipe_is_refused_with_file_line_and_remedy(write_recipe: WriteRecipe, text: str, words: list[str]) -> None:
    with pytest.raises(ImageError) as failure:
        load_recipe(write_recipe(text))
    for word in words:
        assert word in str(failure.value)


def test_recipes_that_build_on_each_other_are_refused(write_recipe: WriteRecipe) -> None:
    first = write_recipe(RECIPE + "base: second\n", "first")
    write_recipe(RECIPE + "base: first\n", "second")
    with pytest.raises(ImageError, match="builds on 'second' itself"):
        load_recipe(first)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"recipe\.yaml is missing"):
        load_recipe(tmp_path / "nothing")


def test_the_digest_follows_content_and_nothing_else(write_recipe: WriteRecipe, tmp_path: Path) -> None:
    directory = write_recipe()
    digest = load_recipe(directory).digest
    (directory / "files/etc/greeting").touch()
    (directory / "files/etc/greeting").chmod(0o600)
    assert load_recipe(directory).digest == digest
    shutil.copytree(directory, tmp_path / "elsewhere" / "shell")
    assert load_recipe(tmp_path / "elsewhere" / "shell").digest == digest


@pytest.mark.parametrize("change", ["content", "name", "executable", "link", "hook", "recipe"])
def test_the_digest_changes_with(write_recipe: WriteRecipe, change: str) -> None:
    directory = write_recipe()
    greeting = directory / "files/etc/greeting"
    digest = load_recipe(directory).digest
    match change:
        case "content":
            greeting.write_text("good day\n")
        case "name":
            greeting.rename(greeting.with_name("salute"))
        case "executable":
            greeting.chmod(0o755)
        case "link":
            greeting.unlink()
            greeting.symlink_to("hello\n")
        case "hook":
            (directory / "hooks").mkdir()
            (directory / "hooks/10-more.sh").write_text("true\n")
        case "recipe":
            write_recipe(RECIPE + "description: changed\n")
    assert load_recipe(directory).digest != digest


def test_the_digest_changes_with_the_base(write_recipe: WriteRecipe) -> None:
    write_recipe(name="below")
    above = write_recipe(RECIPE + "base: below\n", "above")
    digest = load_recipe(above).digest
    write_recipe(RECIPE + "description: changed\n", "below")
    assert load_recipe(above).digest != digest


def test_files_are_copied_as_roots_whatever_the_checkout_had(write_recipe: WriteRecipe, tmp_path: Path) -> None:
    files, rootfs = write_recipe() / "files", tmp_path / "rootfs"
    (files / "etc/tool").write_text("#!/bin/sh\n")
    (files / "etc/tool").chmod(0o700)
    (files / "etc/link").symlink_to("greeting")
    (files / "etc/greeting").chmod(0o600)
    (rootfs / "etc").mkdir(parents=True)
    (rootfs / "etc/greeting").write_text("the package's own\n")
    debian.copy_tree(files, rootfs)
    assert (rootfs / "etc/greeting").read_text() == "hello\n"
    assert (rootfs / "etc/greeting").stat().st_mode & 0o777 == 0o644
    assert (rootfs / "etc/tool").stat().st_mode & 0o777 == 0o755
    assert (rootfs / "etc/link").readlink() == Path("greeting")


def test_an_unknown_image_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="None is built yet"):
        current(tmp_path, "linux")
    lay_image(tmp_path, "linux", "a" * 16)
    make_current(tmp_path, "linux", "a" * 16)
    for name in ("windows", "../linux", ""):
        with pytest.raises(SandboxError, match="There are: linux"):
            current(tmp_path, name)


def test_a_damaged_image_says_what_to_do(tmp_path: Path) -> None:
    directory = lay_image(tmp_path, "linux", "a" * 16)
    make_current(tmp_path, "linux", "a" * 16)
    (directory / "manifest.json").write_text("{")
    with pytest.raises(ImageError, match=r"is damaged\. Remove that directory"):
        current(tmp_path, "linux")


def test_a_built_digest_is_made_current_without_building(write_recipe: WriteRecipe, tmp_path: Path) -> None:
    recipe, said = load_recipe(write_recipe()), list[str]()
    images_dir = tmp_path / "images"
    built = lay_image(images_dir, "shell", recipe.digest)
    lay_image(images_dir, "shell", "old")
    make_current(images_dir, "shell", "old")
    image = build(recipe, images_dir, said.append)
    assert image.rootfs == built / "rootfs"
    assert image.init == ("/usr/bin/tini",)
    assert said == []
    assert list_images(images_dir) == [image]
    assert images_dir.stat().st_mode & 0o777 == 0o711


def test_prune_keeps_what_is_current_or_in_use(tmp_path: Path) -> None:
    for digest in ("new", "used", "old"):
        lay_image(tmp_path, "linux", digest)
    make_current(tmp_path, "linux", "new")
    (tmp_path / ".build-killed" / "draft").mkdir(parents=True)
    assert prune(tmp_path, tmp_path / "saved", in_use={"used"}) == [tmp_path / "linux" / "old"]
    assert sorted(path.name for path in (tmp_path / "linux").iterdir()) == ["current", "new", "used"]
    assert not (tmp_path / ".build-killed").exists()


def test_the_projects_own_starters_load() -> None:
    file = starters.load_starters(RECIPES / "starters")
    assert {"debian", "busybox", "nginx", "node", "python", "hello-world"} <= set(file.images)
    assert {"latest", "stable"} <= set(file.images["debian"].tags)


def test_a_starter_from_an_image_that_is_not_above_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "starters.yaml").write_text("images:\n  web: {description: Web, tags: [latest], from: debian}\n")
    with pytest.raises(ImageError, match="`from: debian`, which is not above it"):
        starters.load_starters(tmp_path)


def test_a_starters_digest_changes_with_what_it_is_from(tmp_path: Path) -> None:
    shutil.copytree(RECIPES / "starters", tmp_path / "starters", symlinks=True)

    def digests() -> dict[str, str]:
        file = starters.load_starters(tmp_path / "starters")
        shelf = starters.Shelf(tmp_path / "starters", file, tmp_path / "layout")
        return {name: shelf.digest(name) for name in file.images}

    before = digests()
    assert len(set(before.values())) == len(before)
    file = tmp_path / "starters/starters.yaml"
    file.write_text(file.read_text().replace("packages: [procps]", "packages: [procps, less]"))
    after = digests()
    assert {name for name in before if before[name] != after[name]} == {"debian", "nginx", "python", "node"}


@pytest.mark.parametrize(
    ("version", "upstream"),
    [("20.19.2+dfsg-1+deb13u3", "20.19.2"), ("1:1.37.0-6+b9", "1.37.0"), ("3.13.5-1", "3.13.5"), ("9.2.0~ds1-3", "9.2.0"), ("12", "12")],
)
def test_upstream_versions(version: str, upstream: str) -> None:
    assert starters.upstream_version(version) == upstream


def test_the_registrys_upstream() -> None:
    assert registry.resolve_upstream("none") is None
    assert registry.resolve_upstream("https://mirror.example:5000") == "https://mirror.example:5000"
    for wrong in ("hub", "ftp://mirror.example", "https://"):
        with pytest.raises(ImageError, match="neither `auto`, `none` nor a URL"):
            registry.resolve_upstream(wrong)


def test_without_an_upstream_the_registry_is_read_only(tmp_path: Path) -> None:
    config = tmp_path / "registry.yml"
    assert registry.write_config(tmp_path / "storage", config, "10.96.0.1:5000", None) is None
    text = config.read_text()
    assert "addr: 10.96.0.1:5000" in text
    assert "readonly: {enabled: true}" in text
    assert "proxy" not in text


def test_an_upstream_that_does_not_answer_is_left_out(tmp_path: Path) -> None:
    config = tmp_path / "registry.yml"
    assert registry.write_config(tmp_path, config, "127.0.0.1:5000", "http://127.0.0.1:1") is None
    assert "proxy" not in config.read_text()


def test_an_upstream_that_answers_is_cached(tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir()
    config = tmp_path / "cache.yml"
    with registry.pushable(tmp_path / "storage", tmp_path) as address:
        upstream = f"http://{address}"
        assert registry.write_config(tmp_path, config, "127.0.0.1:5000", upstream) == upstream
    assert f"remoteurl: {upstream}" in config.read_text()
