"""What a sandbox is to be: plain data, checked where it enters."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from engine.runtime.errors import InvalidSpec

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MOST_TERMINALS = 8
UNITS = {"": 1, "k": KIB, "kib": KIB, "m": MIB, "mib": MIB, "g": GIB, "gib": GIB}

ProfileName = Literal["basic", "docker"]
Network = Literal["none", "lab", "internet"]


def parse_size(text: str) -> int:
    """Bytes of `512MiB`, `1g`, `2GiB` or a plain number. Raises InvalidSpec otherwise."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    if not match or match[2].lower() not in UNITS:
        raise InvalidSpec(f"{text!r} is not a size. Write a number and a unit, for example 512MiB or 2GiB.")
    return int(float(match[1]) * UNITS[match[2].lower()])


def format_size(size: int) -> str:
    """`1.5 GiB`, `512 MiB`: for people."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} B"


def _host_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        raise ValueError("use 1 to 63 of a-z, 0-9 and -, not starting or ending with -")
    return name


class Limits(BaseModel):
    """Hard limits of one sandbox. memory and disk in bytes, cpus in cores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory: int = Field(default=512 * MIB, ge=64 * MIB, le=64 * GIB)
    cpus: float = Field(default=1.0, ge=0.1, le=64)
    pids: int = Field(default=256, ge=16, le=8192)
    disk: int = Field(default=2 * GIB, ge=64 * MIB, le=1024 * GIB)


class SandboxSpec(BaseModel):
    """One sandbox: the image's name, its profile, its limits, its network and how many terminals it opens with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    image: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    profile: ProfileName = "basic"
    limits: Limits = Limits()
    network: Network = "lab"
    hostname: Annotated[str, AfterValidator(_host_name)] = "lab"
    terminals: int = Field(default=1, ge=0, le=MOST_TERMINALS)


def checked_spec(**values: object) -> SandboxSpec:
    """A SandboxSpec from untrusted values. Raises InvalidSpec with one sentence per problem."""
    try:
        return SandboxSpec.model_validate(values)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, item['loc']))}: {item['msg']} (given: {item['input']!r})" for item in error.errors())
        raise InvalidSpec("; ".join(problems)) from error
