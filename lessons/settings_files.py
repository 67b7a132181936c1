"""What course.yaml, chapter.yaml and a lesson's front matter may say."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from engine.runtime.errors import InvalidSpec
from engine.runtime.spec import Limits, parse_size

LONGEST = 7 * 24 * 3600  # s

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]


def _size(value: Any) -> int:
    try:
        return parse_size(str(value))
    except InvalidSpec as error:
        raise ValueError(str(error)) from error


def _seconds(value: Any) -> int:
    match = re.fullmatch(r"\s*(\d+)\s*([smh])\s*", str(value))
    seconds = int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0
    if not 0 < seconds <= LONGEST:
        raise ValueError("write a time like 90s, 15m or 2h, seven days at most")
    return seconds


def _inner_path(value: str) -> str:
    if value.startswith("/") or "\\" in value or any(part in ("", ".", "..") for part in value.split("/")):
        raise ValueError("name a file or folder beside the lesson, without .. and without a leading /")
    return value


def _machine_path(value: str) -> str:
    if not re.fullmatch(r"(/[^/\0\n]+)+", value) or {".", ".."} & set(value.split("/")):
        raise ValueError("give the full path in the machine, for example /root/webapp")
    return value


Size = Annotated[int, BeforeValidator(_size)]
Seconds = Annotated[int, BeforeValidator(_seconds)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)


class PortSettings(_Settings):
    port: int = Field(ge=1, le=65535)
    title: Line = ""


class FileSettings(_Settings):
    source: str = Field(alias="from")
    target: str = Field(alias="to")

    _source = field_validator("source")(_inner_path)
    _target = field_validator("target")(_machine_path)


class LabSettings(_Settings):
    """The machine of a lesson. What is left out is the image's or the engine's to decide."""

    image: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    profile: Literal["basic", "docker"] | None = None
    memory: Size | None = None
    cpus: float | None = None
    pids: int | None = None
    disk: Size | None = None
    idle: Seconds | None = None
    deadline: Seconds | None = None
    network: Literal["none", "lab", "internet"] | None = None
    terminals: int = Field(default=1, ge=1, le=4)
    ports: list[PortSettings] = []
    files: list[FileSettings] = []
    setup: str = ""

    @field_validator("memory", "cpus", "pids", "disk")
    @classmethod
    def _within_limits(cls, value: Any, info: Any) -> Any:
        """The engine's own bounds, said where the author can see the line."""
        if value is not None:
            try:
                Limits.model_validate({info.field_name: value})
            except ValidationError as error:
                raise ValueError(error.errors()[0]["msg"]) from error
        return value

    @model_validator(mode="after")
    def _ports_once(self) -> "LabSettings":
        numbers = [entry.port for entry in self.ports]
        if len(set(numbers)) < len(numbers):
            raise ValueError("a port is listed twice")
        return self


class LessonSettings(_Settings):
    title: Line
    summary: Text = ""
    minutes: int = Field(default=5, ge=1, le=600)
    lab: LabSettings | None = None


class ChapterSettings(_Settings):
    title: Line
    part: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    summary: Text = ""


class CourseSettings(_Settings):
    title: Line
    summary: Text = ""
    audience: Text = ""
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    authors: list[Line] = []
    licence: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    chapters: list[str] = Field(min_length=1)
