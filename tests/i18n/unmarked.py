"""Text in templates that no `translate` or `blocktranslate` carries."""

import re
from pathlib import Path

from django.template.base import Lexer, TokenType

SPOKEN = re.compile(r'\b(?:aria-label|title|alt|placeholder|data-[\w-]*(?:words|text|label)|content)="([^"]*)"')
NOT_SPOKEN = re.compile(r'content="(?:width=|light dark)|name="viewport"')
HIDDEN = re.compile(r"<(style|script|svg|code|kbd|pre)\b.*?</\1>|<!--.*?-->", re.DOTALL)
TAG = re.compile(r"<[^>]*>")
DEFAULT = re.compile(r'\|default(?:_if_none)?:"([^"]*)"')
WORD = re.compile(r"[A-Za-z]{2,}")
# Names and codes, the same in every language.
NAMES = {"Playground", "Docker", "Linux", "JSON", "min", "ms", "CPU", "Esc", "Tab", "Ctrl"}
CLASSES = ("page_class", "body_class")  # blocks within an attribute


def text_of(template: str) -> str:
    """The template's text with every tag and variable of Django's replaced by a mark, marked text dropped; a variable's default stays."""
    parts: list[str] = []
    within = ""
    for token in Lexer(template).tokenize():
        if token.token_type is TokenType.BLOCK:
            name = token.contents.split()[0]
            if name in ("blocktranslate", "blocktrans", "comment"):
                within = name
            elif name == "block" and token.contents.split()[1] in CLASSES:
                within = "block"
            elif name == f"end{within}":
                within = ""
            parts.append("\x00")
        elif token.token_type is TokenType.TEXT and not within:
            parts.append(token.contents)
        elif token.token_type is TokenType.VAR:
            parts.append("\x00".join(["", *DEFAULT.findall(token.contents), ""]))
    return "".join(parts)


def unmarked(path: Path) -> list[str]:
    """Each piece of text with a word in it."""
    text = HIDDEN.sub(" ", text_of(path.read_text()))
    spoken = SPOKEN.findall(NOT_SPOKEN.sub("", text))
    pieces = [*re.split(r"\x00|\n\s*\n", TAG.sub("\x00", text)), *(piece for value in spoken for piece in value.split("\x00"))]
    return [piece.strip() for piece in pieces if set(WORD.findall(piece)) - NAMES]
