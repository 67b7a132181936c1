"""The blocks of a lesson that do something: typed, stored as JSON beside the HTML, replayed by the course's test."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    line: int = Field(description="Line of the lesson's file, from 1.")
    within: str = Field(default="", description="The container it stands in: solution, hint, tldr, commands, or none.")


class Command(BaseModel):
    """One command of a transcript and what it prints. `...` in the output stands for anything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: int
    prompt: Literal["$", "#"]
    text: str
    output: list[str] = []


class Console(_Block):
    kind: Literal["console"] = "console"
    commands: list[Command]
    run: bool = True
    terminal: int = 1
    interrupt: bool = Field(default=False, description="Send Ctrl-C before the first command.")


class Script(_Block):
    """Commands without a transcript: they must end with status 0."""

    kind: Literal["sh"] = "sh"
    text: str
    run: bool = True
    terminal: int = 1
    interrupt: bool = False


class Keys(_Block):
    kind: Literal["keys"] = "keys"
    keys: list[str]
    terminal: int = 1


class File(_Block):
    kind: Literal["file"] = "file"
    path: str
    language: str
    content: str
    terminal: int = 1


class Check(_Block):
    kind: Literal["check"] = "check"
    slug: str
    title: str
    script: str


class Option(BaseModel):
    """One answer of a quiz. Only `html` reaches the page before the learner has answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    html: str
    right: bool
    explanation: str = ""


class Quiz(_Block):
    kind: Literal["quiz"] = "quiz"
    slug: str
    question: str
    options: list[Option]


class Section(_Block):
    """A TLDR, the chapter's commands, a hint or a solution."""

    kind: Literal["section"] = "section"
    name: Literal["tldr", "commands", "hint", "solution"]
    title: str
    source: str


class Port(_Block):
    kind: Literal["port"] = "port"
    port: int


class Mermaid(_Block):
    kind: Literal["mermaid"] = "mermaid"
    source: str


Block = Annotated[Console | Script | Keys | File | Check | Quiz | Section | Port | Mermaid, Field(discriminator="kind")]
BLOCKS: TypeAdapter[list[Block]] = TypeAdapter(list[Block])
