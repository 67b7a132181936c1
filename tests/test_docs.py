"""Documentation is a promise: every setting, command and target is documented, and nothing that is not there."""

import re
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands
from pydantic_core import PydanticUndefined

from playground.environment import Environment

ROOT = Path(__file__).resolve().parent.parent
PROSE = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
ROW = re.compile(r"^\| `(PLAYGROUND_\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
NOT_THE_SITES = {"PLAYGROUND_TEST_STATE"}  # read by deploy.proof before there is a Python environment


def documented() -> dict[str, tuple[str, str]]:
    return {name: (default, text) for name, default, text in ROW.findall((ROOT / "docs" / "configuration.md").read_text())}


def test_every_setting_is_documented_and_no_other() -> None:
    settings = {f"PLAYGROUND_{name.upper()}" for name in Environment.model_fields}
    assert documented().keys() - NOT_THE_SITES == settings


@pytest.mark.parametrize("name", sorted(Environment.model_fields))
def test_its_default_is_the_one_documented(name: str) -> None:
    default = Environment.model_fields[name].default
    if default is PydanticUndefined:  # a factory's: documented in words
        return
    shown = "empty" if default == "" else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    assert documented()[f"PLAYGROUND_{name.upper()}"][0] == shown


def test_every_command_is_documented_and_no_other() -> None:
    ours = {name for name, app in get_commands().items() if app in ("engine", "lessons")}
    text = (ROOT / "docs" / "operations.md").read_text().partition("## Commands")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE)) == ours


def test_every_target_is_in_the_readme() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\w+)", shown, re.MULTILINE)) == targets
    assert set(re.findall(r"^\| `make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)) == targets


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_its_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_what_it_names_in_the_tree_is_there(path: Path) -> None:
    named = re.findall(r"`((?:deploy|docs|engine|lessons|playground|tests|courses|images)/[\w./-]+)`", path.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []
