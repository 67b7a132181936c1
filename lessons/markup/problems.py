"""What is wrong with a course file, in words an author can act on."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One fault, and what to do about it. `file` is relative to the course's folder, `line` counts from 1."""

    file: str
    line: int
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}. {self.remedy}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A remedy: `Did you mean 'image'?`, or the list of what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Use one of: {', '.join(names)}."
