"""docs/security.md says what the code does."""

import re

from engine.runtime.profiles import DOCKER_CAPABILITIES
from tests.security.document import BLOCK, DOCUMENT, TABLES, renewed


def test_its_tables_are_those_of_the_code() -> None:
    text = DOCUMENT.read_text()
    assert text == renewed(text), "run: python -m tests.security.document"


def test_every_table_is_in_it() -> None:
    assert [name for _, name, _ in BLOCK.findall(DOCUMENT.read_text())] == list(TABLES)


def test_every_capability_has_a_reason() -> None:
    listed = re.findall(r"CAP_\w+", TABLES["capabilities"]())
    assert sorted(listed) == sorted(DOCKER_CAPABILITIES)
