"""Code to spans with Pygments' class names. No inline styles: the stylesheet decides."""

from html import escape

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_FORMATTER = HtmlFormatter(nowrap=True)


def code_html(code: str, language: str) -> str:
    """The inside of a `<code>`: every character of `code` is kept, since it is also what "Write file" writes."""
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return escape(code)
    html = highlight(code, lexer, _FORMATTER)
    # The formatter ends every line, also a last one that had no end.
    return html if code.endswith("\n") else html.removesuffix("\n")


def known_language(language: str) -> bool:
    """Whether Pygments has a lexer of that name."""
    try:
        get_lexer_by_name(language)
    except ClassNotFound:
        return False
    return True
