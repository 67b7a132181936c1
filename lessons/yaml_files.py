"""YAML into pydantic models, with the line of whatever is wrong."""

import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from lessons.markup.problems import Problem, nearest

BRACKETS_MAX = 1000

Model = TypeVar("Model", bound=BaseModel)


class InvalidYaml(Exception):
    """The text is not YAML, or not what the model asks for."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def load(model: type[Model], text: str, file: str, first_line: int = 1) -> Model:
    """Read `text`, whose first line is line `first_line` of `file`. Raises InvalidYaml."""
    # The scanner's time grows with the square of open brackets: some thousands would hold it for minutes.
    if text.count("[") + text.count("{") > BRACKETS_MAX:
        raise InvalidYaml([Problem(file, first_line, "too many brackets", "Put long scripts into a file of the lab.")])
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = first_line + (mark.line if mark else 0)
        what = str(error.problem or error.context or "cannot be read").split("\n")[0]
        raise InvalidYaml([Problem(file, line, f"not valid YAML: {what}", "Check the indentation, quotes and colons here.")]) from error
    except (YAMLError, RecursionError) as error:
        raise InvalidYaml([Problem(file, first_line, f"not valid YAML: {error}", "Check the file.")]) from error
    if not isinstance(tree, CommentedMap):
        raise InvalidYaml([Problem(file, first_line, "no settings", "Write lines like title: Run a container.")])
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        problems = [_problem(model, tree, dict(item), file, first_line) for item in error.errors()]
        raise InvalidYaml(sorted(problems)) from error


def _problem(model: type[BaseModel], tree: CommentedMap, error: dict[str, Any], file: str, first_line: int) -> Problem:
    location: tuple[int | str, ...] = error["loc"]
    line = first_line + _line(tree, location)
    name = ".".join(map(str, location)) or "the settings"
    match error["type"]:
        case "extra_forbidden":
            return Problem(file, line, f"unknown key {location[-1]!r}", nearest(str(location[-1]), _known_keys(model, location[:-1])))
        case "missing":
            return Problem(file, line, f"{name} is missing", "Add it.")
        case _:
            return Problem(file, line, f"{name}: {error['msg'].removeprefix('Value error, ')}", f"Given was {_shown(error['input'])}.")


def _shown(value: Any) -> str:
    """A collection is not written out: with YAML's aliases a short file can hold an endless one."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "a map"
    return repr(value)[:80]


def _line(tree: Any, location: tuple[int | str, ...]) -> int:
    """Line, from 0, of the deepest part of the location that is in the file."""
    line = 0
    for part in location:
        if isinstance(tree, CommentedMap) and part in tree:
            line = tree.lc.key(part)[0]
        elif isinstance(tree, CommentedSeq) and isinstance(part, int) and part < len(tree):
            line = tree.lc.item(part)[0]
        else:
            break
        tree = tree[part]
    return line


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the model, or of the model inside it that the location leads to."""
    for part in location:
        if isinstance(part, str):
            field = next((field for name, field in model.model_fields.items() if part in (name, field.alias)), None)
            model = _model_in(field.annotation if field else None) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)
