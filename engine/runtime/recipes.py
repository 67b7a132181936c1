"""Recipes of images: what `images/<name>/` says, checked, and the digest that names what is built from it.

recipe.yaml   the data below
files/        copied over the root file system
hooks/*.sh    shell scripts that run inside it last, in order of their names
"""

import difflib
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from engine.runtime.debian import ImageError
from engine.runtime.errors import InvalidSpec
from engine.runtime.spec import Limits, ProfileName, parse_size

BUILDER = "2"  # raise it when the same recipe must give another result: every image is then built again
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")

Model = TypeVar("Model", bound=BaseModel)


def _package(name: str) -> str:
    # Debian Policy 5.6.1. Names reach a command line, so nothing else may pass.
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name):
        raise ValueError("is not the name of a Debian package")
    return name


def _sizes(limits: Any) -> Any:
    """Limits with `512MiB` written out as bytes."""
    if not isinstance(limits, dict):
        return limits
    try:
        return {key: parse_size(str(value)) if key in ("memory", "disk") else value for key, value in limits.items()}
    except InvalidSpec as error:
        raise ValueError(str(error)) from error


Package = Annotated[str, AfterValidator(_package)]
Suite = Annotated[str, Field(pattern=r"^[a-z]+$")]


class RecipeFile(BaseModel):
    """recipe.yaml. With `base`, packages, files and hooks come on top of those of that recipe, and `suite` is the base's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    description: str = ""
    base: str | None = None
    suite: Suite = "trixie"
    profile: ProfileName = "basic"
    init: tuple[str, ...] = Field(min_length=1)
    limits: Annotated[Limits, BeforeValidator(_sizes)] = Limits()
    packages: tuple[Package, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One recipe with the one it builds on."""

    name: str
    directory: Path
    file: RecipeFile
    base: "Recipe | None" = None

    @property
    def chain(self) -> tuple["Recipe", ...]:
        """From the lowest base to this recipe."""
        return (*self.base.chain, self) if self.base else (self,)

    @property
    def digest(self) -> str:
        """Names what this recipe gives: any change to it, to its files or to its base is another digest."""
        return digest_of((recipe.name, recipe.directory) for recipe in self.chain)


def digest_of(directories: Iterable[tuple[str, Path]]) -> str:
    """SHA-256, shortened to 16 hexadecimal digits, over names, kinds and contents of all files in the named directories."""
    digest = hashlib.sha256(BUILDER.encode())
    for label, directory in directories:
        digest.update(f"{label}\0".encode())  # a directory without files counts too
        for path in sorted(directory.rglob("*")):
            if path.is_symlink():
                kind, content = "link", str(path.readlink()).encode()
            elif path.is_dir():
                kind, content = "directory", b""
            else:
                # Git keeps only whether a file is executable; nothing else of its mode counts here either.
                kind, content = "program" if path.stat().st_mode & 0o100 else "file", path.read_bytes()
            digest.update(f"{path.relative_to(directory)}\0{kind}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def load_recipe(path: Path) -> Recipe:
    """The recipe in directory `path`; its base is looked for beside it. Raises ImageError that names file and remedy."""
    return _load(path, ())


def _load(path: Path, above: tuple[str, ...]) -> Recipe:
    file = path / "recipe.yaml"
    if not NAME.fullmatch(path.name):
        raise ImageError(f"{path}: an image's name is 1 to 63 of a-z, 0-9 and . _ -; rename the directory.")
    data = load_yaml(file, RecipeFile)
    if data.base is None:
        return Recipe(path.name, path, data)
    if "suite" in data.model_fields_set:
        raise ImageError(f"{file}: the suite is that of the base {data.base!r}. Take `suite` out.")
    if data.base in (*above, path.name):
        raise ImageError(f"{file}: the base {data.base!r} builds on {path.name!r} itself. Take `base` out of one of them.")
    if not (path.parent / data.base / "recipe.yaml").is_file():
        known = ", ".join(sorted(recipe_names(path.parent) - {path.name})) or "none"
        raise ImageError(f"{file}: there is no recipe {data.base!r} to build on. There are: {known}.")
    return Recipe(path.name, path, data, _load(path.parent / data.base, (*above, path.name)))


def recipe_names(recipes_dir: Path) -> set[str]:
    """Names of the lab images that have a recipe."""
    return {file.parent.name for file in recipes_dir.glob("*/recipe.yaml")}


def load_yaml(file: Path, model: type[Model]) -> Model:
    """`file` as `model`. Raises ImageError with file, line and what to write instead."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        raise ImageError(f"{file} is missing. Every image has one: begin with a copy of images/linux/recipe.yaml.") from None
    try:
        data = YAML().load(text)
    except YAMLError as error:
        raise ImageError(f"{file} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise ImageError(f"{file}: write `key: value` lines, beginning with `title: ...`.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ImageError("\n".join(_problem(file, data, item, model) for item in error.errors())) from error


def _problem(file: Path, data: Any, item: Any, model: type[BaseModel]) -> str:
    place, line = ".".join(map(str, item["loc"])), 1
    for key in item["loc"]:  # as deep as the file goes: a missing key has the line of what it is missing from
        try:
            position: Any = data.lc  # ruamel.yaml's mappings and sequences know where they were written
            line = (position.key(key) if isinstance(data, dict) else position.item(key))[0] + 1
            data = data[key]
        except (AttributeError, KeyError, TypeError):
            break
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(item["loc"][-1]), model.model_fields, n=1)
        message = "unknown key. " + (f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(model.model_fields)}.")
    elif item["type"] == "missing":
        message = "is missing. Add it."
    else:
        message += f" (given: {item['input']!r})"
    return f"{file}:{line}: {place}: {message}"
