"""Each mistake is named with its line and a remedy."""

import pytest

from tests.lessons.conftest import Render

CASES = [
    ("Text.\n\n```console {norunn}\n$ ls\n```", 3, "unknown attribute 'norunn'", "'norun'"),
    ("```console {terminal=9}\n$ ls\n```", 1, "no terminal '9'", "1 to 4"),
    ("```python {norun}\nx\n```", 1, "{norun} does nothing", "Remove"),
    ("```yaml {file=compose.yaml}\na: 1\n```", 1, "not the full path", "/root"),
    ('```console {terminal="1}\n$ ls\n```', 1, "quote", "Close"),
    ("\n```console\nhello\n$ ls\n```", 3, "output without a command", "$ COMMAND"),
    ("```console {keys}\nCtrl-P\nEntr\n```", 3, "unknown key 'Entr'", "'Enter'"),
    ("a\n\n```sh\nls\n", 3, "not closed", "```"),
    ("```pyhton\nx\n```", 1, "unknown language 'pyhton'", "Pygments"),
    ("::: hnit\nx\n:::", 1, "unknown block `::: hnit`", "'hint'"),
    ("a\n\n::: hint\nx\n", 3, "`::: hint` is not closed", "only :::"),
    ("a\n\nb\n:::", 4, "opens or closes nothing", "::: NAME"),
    ("::: check\n```sh\ntrue\n```\n:::", 1, "check without a question", "check Is"),
    ("::: check Is it?\nx\n:::", 1, "check without a script", "```sh"),
    ("::: check Is it?\n```sh\ntrue\n```\n```sh\ntrue\n```\n:::", 5, "second script", "one script"),
    ("::: quiz\n- [x] a\n- [ ] b\n:::", 1, "quiz without a question", "above"),
    ("::: quiz\nQ?\n- [ ] a\n- [ ] b\n:::", 1, "without a right answer", "[x]"),
    ("::: quiz\nQ?\n:::", 1, "two answers", "[x]"),
    ("::: quiz Q?\nWhich?\n- [x] a\n- [ ] b\n:::", 1, "text behind", "next line"),
    ("# One\n\n# Two", 3, "second title, 'Two'", "##"),
    ("a\nb ![x](images/none.svg)", 2, "no picture", "Add"),
    ("a\nb\n![](images/box.svg)", 3, "without a description", "brackets"),
    ("a\n[x](other.md)", 2, "no lesson", "Link"),
    ("## Here\n\na\n[x](#hre)", 4, "no section #hre", "'here'"),
    ("a {{port:99999}}", 1, "unknown placeholder", "{{port:8080}}"),
    ("a\nb {{session.name}}", 2, "unknown placeholder {{session.name}}", "{{port:8080}}"),
]


@pytest.mark.parametrize(("text", "line", "what", "remedy"), CASES, ids=[case[2] for case in CASES])
def test_it_says_where_what_and_what_to_do(render: Render, text: str, line: int, what: str, remedy: str) -> None:
    (problem,) = render(text).problems
    assert problem.line == line
    assert what in problem.text
    assert remedy in problem.remedy


def test_lines_are_counted_from_the_top_of_the_file(render: Render) -> None:
    (problem,) = render("---\ntitle: x\n---\n\n# x\n\n```console {oops}\n$ ls\n```").problems
    assert str(problem).startswith("lesson.md:7: unknown attribute 'oops'. ")


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(render: Render) -> None:
    text = "---\ntitle: x\n---\n\n```console {oops}\n$ ls\n```"
    plain, windows = render(text), render("\ufeff" + text.replace("\n", "\r\n"))
    assert (plain.html, plain.problems, plain.front_matter) == (windows.html, windows.problems, windows.front_matter)
