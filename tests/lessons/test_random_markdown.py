"""Any text at all is read without an exception, and nothing dangerous comes out."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lessons.markup.document import read_document
from tests.lessons.conftest import Alone
from tests.lessons.test_hostile_markdown import ATTACKS, dangers

PIECES = [
    *(
        "```",
        "```console\n",
        "```console {keys}\n",
        "```sh\n",
        "```yaml {file=/a}\n",
        "$ ",
        "# ",
        "> ",
        "> [!NOTE]\n",
        "---\n",
        ":::\n",
        "::::\n",
    ),
    *(
        "::: check x\n",
        "::: quiz\n",
        "::: hint\n",
        "- [x] a\n",
        "- [ ] b\n",
        "\n\n",
        "    ",
        "\t",
        "1. ",
        "| a |\n|--|\n",
        "[^1]",
        "[^1]: x\n",
    ),
    *(":   d\n", "{{port:80}}", "![a](images/box.svg)", "[x](#y)", "<b>", "<!--", "\0", "\u2028", "\ufeff", "\r", *ATTACKS),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=30).map("".join))
@settings(max_examples=300, deadline=None)
def test_it_is_read_and_harmless(text: str) -> None:
    document = read_document(text, "lesson.md", Alone())
    assert dangers(document.html) == []
    assert all(1 <= problem.line <= text.count("\n") + text.count("\r") + 1 for problem in document.problems)
