"""The last step of rendering: what is not on these lists does not reach a learner's browser."""

import re

import nh3
from pygments.token import STANDARD_TYPES

_WITHOUT_ATTRIBUTES = (
    *("p", "br", "hr", "em", "strong", "del", "s", "b", "i", "kbd", "sub", "sup", "abbr", "mark", "blockquote", "ul", "dl", "dt", "dd"),
    *("table", "thead", "tbody", "tr", "figure", "figcaption", "summary", "span", "div", "section", "pre", "code", "h2", "h3", "h4"),
    *("h5", "h6"),
)
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"class"},
    **{tag: set() for tag in _WITHOUT_ATTRIBUTES},
    "a": {"href", "title", "id", "data-port", "aria-label"},
    "img": {"src", "alt", "title", "width", "height", "loading"},
    "ol": {"start"},
    "li": {"id"},
    "h2": {"id"},
    "h3": {"id"},
    "h4": {"id"},
    "th": {"scope"},
    "td": {"colspan", "rowspan"},
    "details": {"open"},
    "div": {"role", "data-kind", "data-terminal", "data-command", "data-interrupt", "data-path"},
    "section": {"data-check", "data-quiz"},
    "pre": {"data-lines"},
    "span": {"aria-hidden"},
    "button": {"aria-label"},
    "input": {"checked"},
}
ALLOWED_TAGS = frozenset(_ATTRIBUTES) - {"*"}
# What an author may write as HTML. Pictures and buttons come from Markdown, which names and checks them.
AUTHORS_TAGS = ALLOWED_TAGS - {"img", "button", "input"}
_CLASSES = {
    *("console", "command", "prompt", "copy", "run", "output", "keys", "port", "mermaid", "highlight"),
    *("file-block", "file-tools", "open-file", "write-file"),
    *("alert", "alert-title", *(f"alert-{kind}" for kind in ("note", "tip", "important", "warning", "caution"))),
    *("tldr", "commands", "hint", "solution", "check", "check-title", "check-task", "quiz", "quiz-title", "quiz-options"),
    *("footnote-ref", "footnotes", "footnotes-list", "footnotes-sep", "footnote-item", "footnote-backref"),
    *("contains-task-list", "task-list-item", "task-list-item-checkbox", "align-left", "align-right", "align-center"),
    *(name for name in STANDARD_TYPES.values() if name),
}
_VALUES = {
    # Only ours: an id from raw HTML could take the place of one that the page's script looks for.
    "id": re.compile(r"(s-|fn|fnref)[\w:-]+"),
    # Links out carry their scheme; everything else was resolved to the site's own addresses.
    "href": re.compile(r"(https?:|mailto:|#|/(?!/)).*", re.IGNORECASE | re.DOTALL),
    "src": re.compile(r"/(?!/).*"),
    "role": re.compile("note"),
    "loading": re.compile("lazy"),
}


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "class":
        kept = [word for word in value.split() if word in _CLASSES or word.startswith("language-")]
        return " ".join(kept) or None
    if name in _VALUES and not _VALUES[name].fullmatch(value):
        return None
    return value


_CLEANER = nh3.Cleaner(
    tags=set(ALLOWED_TAGS),
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    clean_content_tags={"script", "style", "iframe", "object", "svg", "math", "template", "noscript", "textarea", "select"},
    # No other kind: a text field or a submit button could pose as the site's own.
    set_tag_attribute_values={"button": {"type": "button"}, "input": {"type": "checkbox", "disabled": ""}},
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer",
)


def sanitise(html: str) -> str:
    """HTML with nothing in it that runs, styles, embeds or poses as the page around it."""
    return _CLEANER.clean(html)
