"""What an author could try on a learner's browser."""

import re

import pytest

from lessons.markup.sanitise import sanitise
from tests.lessons.conftest import Render

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<p onclick="alert(1)">x</p>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java&#x0A;script:alert(1)'>x</a>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<iframe src='https://example.org'></iframe>",
    "<object data='x'></object><embed src='x'>",
    "<form action='https://example.org'><input name=password type=password><button type=submit formaction=x>Go</button></form>",
    "<style>body{display:none}</style>",
    "<p style='position:fixed'>x</p>",
    "<base href='https://example.org/'>",
    "<meta http-equiv=refresh content='0;url=https://example.org'>",
    "<link rel=stylesheet href=x>",
    '![x" onerror="alert(1)](images/box.svg)',
    '![x](images/box.svg "x\\" onerror=\\"alert(1)")',
    '```console\n$ "><script>alert(1)</script>\n"><img src=x onerror=alert(1)>\n```',
    '```yaml {file="/root/\\"><script>alert(1)</script>"}\na: 1\n```',
    '```"><script>alert(1)</script>\nx\n```',
    "::: hint <img src=x onerror=alert(1)>\nx\n:::",
    "::: check <script>alert(1)</script>\n```sh\ntrue\n```\n:::",
    "::: quiz\n<script>alert(1)</script>?\n- [x] <img src=x onerror=alert(1)>\n- [ ] b\n:::",
    '::: tldr "><script>\nx\n:::',
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
]
ELEMENT = re.compile(r"<\s*(\w+)([^>\"]*(?:\"[^\"]*\"[^>\"]*)*)>")
FORBIDDEN = {"script", "style", "iframe", "object", "embed", "form", "svg", "math", "base", "meta", "link", "template", "noscript"}


def dangers(html: str) -> list[str]:
    """Elements and attributes in `html` that could run or pose as the page."""
    found = []
    for name, attributes in ELEMENT.findall(html):
        plain = re.sub(r'"[^"]*"', '""', attributes)
        found += [name] if name.lower() in FORBIDDEN else []
        found += re.findall(r"\s(on\w+|style|formaction|action|srcdoc|name)\s*=", plain)
        found += re.findall(r'(?:href|src)="(?!https?:|mailto:|/|#)([^"]*)"', attributes)
        found += re.findall(r'type="(?!button|checkbox)([^"]*)"', attributes)
    return found


def test_the_judge_sees_what_is_dangerous() -> None:
    assert dangers('<script>x</script><p onclick="x"><a href="javascript:x"><b style="x"><input type="password">') == [
        *("script", "onclick", "javascript:x", "style", "password")
    ]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_dangerous_is_left(render: Render, attack: str) -> None:
    document = render(attack)
    assert dangers(document.html) == []
    for block in document.blocks:
        if block.kind == "quiz":
            assert dangers(block.question + "".join(option.html + option.explanation for option in block.options)) == []


@pytest.mark.parametrize("tag", ["script", "iframe", "form", "svg", "style", "img", "button"])
def test_the_author_is_told_which_element_is_not_allowed(render: Render, tag: str) -> None:
    (problem, *_) = render(f"Fine.\n\n<{tag}>x</{tag}>\n").problems
    assert (problem.line, f"<{tag}>" in problem.text) == (3, True)


def test_an_id_or_a_class_of_the_page_cannot_be_taken() -> None:
    assert sanitise('<h2 id="lab" class="site-header gp">x</h2>') == '<h2 class="gp">x</h2>'


def test_plain_html_that_helps_is_kept(render: Render) -> None:
    document = render("Press <kbd>Ctrl</kbd>, H<sub>2</sub>O<br>")
    assert document.problems == []
    assert document.html == "<p>Press <kbd>Ctrl</kbd>, H<sub>2</sub>O<br></p>\n"


def test_deep_nesting_ends(render: Render) -> None:
    assert render("> " * 5000 + "x").html
    assert render("- " * 2000 + "x").html
    assert render("[" * 20000).html
