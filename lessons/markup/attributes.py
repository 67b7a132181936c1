"""The part in braces behind a fence's language: `console {norun terminal=2}`."""

import re
import shlex
from dataclasses import dataclass, field

from lessons.markup.problems import nearest

FLAGS = ("norun", "interrupt", "keys")
VALUES = ("terminal", "file")


class AttributeProblem(Exception):
    """The braces cannot be understood."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.text, self.remedy = text, remedy


@dataclass(frozen=True)
class Fence:
    """A fence's first line."""

    language: str = ""
    flags: frozenset[str] = frozenset()
    values: dict[str, str] = field(default_factory=dict)

    @property
    def terminal(self) -> int:
        return int(self.values.get("terminal", 1))

    @property
    def runnable(self) -> bool:
        return "norun" not in self.flags


def parse_fence(info: str) -> Fence:
    """`yaml {file=/root/compose.yaml}` -> Fence. Raises AttributeProblem."""
    match = re.fullmatch(r"\s*([^\s{]*)\s*(?:\{(.*)\})?\s*", info)
    if not match:
        raise AttributeProblem(f"{info.strip()!r} is not a language with attributes", "Write it like ```console {terminal=2}.")
    language, braces = match[1], match[2] or ""
    try:
        words = shlex.split(braces)
    except ValueError as error:
        raise AttributeProblem(f"{{{braces}}} has a quote that is not closed", "Close it.") from error
    flags, values = set(), {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in VALUES:
            values[name] = value
        elif not equals and name in FLAGS:
            flags.add(name)
        else:
            names = [*FLAGS, *(f"{known}=" for known in VALUES)]
            raise AttributeProblem(f"unknown attribute {word!r}", nearest(name + equals, names))
    if "terminal" in values and not re.fullmatch("[1-4]", values["terminal"]):
        raise AttributeProblem(f"there is no terminal {values['terminal']!r}", "A lab has the terminals 1 to 4.")
    if "file" in values and not re.fullmatch(r"/(?:[^/\0\n]+/)*[^/\0\n]+", values["file"]):
        raise AttributeProblem(f"{values['file']!r} is not the full path of a file", "Begin it with /, as in /root/compose.yaml.")
    return Fence(language, frozenset(flags), values)
