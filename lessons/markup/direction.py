"""Right-to-left and left-to-right text in one lesson: prose runs as its language does, block by block; code always from left to right."""

import re

# A whole tag at a time: nh3 leaves `<` as it is in attributes, and a command there may hold what looks like a tag.
_TAG = re.compile(r'<([a-z][a-z0-9]*)((?: [\w-]+="[^"]*")*)>')
_PROSE = frozenset({"p", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "th", "td", "blockquote", "figcaption", "summary"})
# With a direction of their own they do not count when the block around them looks for its first letter.
_CODE = frozenset({"code", "pre", "kbd"})


def _directed(tag: re.Match[str]) -> str:
    name, attributes = tag.groups()
    direction = "auto" if name in _PROSE else "ltr" if name in _CODE else ""
    return f'<{name}{attributes} dir="{direction}">' if direction else tag[0]


def directed(html: str) -> str:
    """Sanitised HTML with a `dir` on each block of prose and each piece of code."""
    return _TAG.sub(_directed, html)
