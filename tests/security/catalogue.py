"""The probes as data: what their headers say, and the weakening under which each must fail."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "probes"
FIELDS = ("Attack", "Source", "Profiles", "Weakening")


@dataclass(frozen=True)
class Probe:
    """One file of `probes/`. `weakening`: names in `weak.STEPS`, all applied together."""

    name: str
    text: str
    attack: str
    source: str
    profiles: frozenset[str]
    weakening: tuple[str, ...]
    alone: bool  # it exhausts something: a sandbox of its own


def _header(name: str, text: str) -> str:
    if name.endswith(".py"):
        return ast.get_docstring(ast.parse(text)) or ""
    return "\n".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))


def parsed(name: str, text: str) -> Probe:
    """Raises ValueError when a field of the header is missing."""
    header = _header(name, text)
    fields = dict(re.findall(r"^(\w+): (.+)$", header, re.MULTILINE))
    missing = [field for field in FIELDS if not fields.get(field)]
    if missing:
        raise ValueError(f"{name}: its header has no {', '.join(missing)}")
    return Probe(
        name, text, fields["Attack"], fields["Source"], frozenset(fields["Profiles"].split()), tuple(fields["Weakening"].split()),
        alone=fields.get("Sandbox") == "alone",
    )  # fmt: skip


@cache
def probes() -> tuple[Probe, ...]:
    """Every probe, by number."""
    return tuple(parsed(path.name, path.read_text()) for path in sorted(FOLDER.glob("[0-9]*")))
