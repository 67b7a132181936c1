"""What a lesson's text refers to outside of itself: pictures and other lessons."""

from dataclasses import dataclass
from typing import Protocol


class ReferenceProblem(Exception):
    """A picture or a page that is not there."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.text, self.remedy = text, remedy


@dataclass(frozen=True)
class Picture:
    """Where the browser finds it, and its size, so that the page does not jump when it arrives."""

    url: str
    width: int | None = None
    height: int | None = None


class Surroundings(Protocol):
    """Both raise ReferenceProblem."""

    def picture(self, source: str) -> Picture: ...

    def page(self, target: str) -> str: ...
