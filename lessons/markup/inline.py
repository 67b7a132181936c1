"""Inside of a paragraph: links, pictures, port links, and HTML that authors wrote themselves."""

import re
from typing import TYPE_CHECKING

from markdown_it.token import Token

from lessons.markup.blocks import Port
from lessons.markup.html import port_html
from lessons.markup.sanitise import AUTHORS_TAGS
from lessons.markup.surroundings import ReferenceProblem

if TYPE_CHECKING:
    from lessons.markup.document import Reading

_PLACEHOLDER = re.compile(r"\{\{\s*(port|session)[:.]\s*([\w.-]+)\s*\}\}")
_TAG = re.compile(r"<\s*([a-zA-Z][\w-]*)")


def read_inline(reading: "Reading", token: Token) -> None:
    """Resolve what its children refer to, in place."""
    line = token.map[0] + 1 if token.map else 1
    for number, text in enumerate(token.content.split("\n")):
        if text.startswith(":::"):
            reading.problem(line + number, "a ::: that opens or closes nothing", "Remove it, or write ::: NAME to open a block.")
    children: list[Token] = []
    for child in token.children or []:
        match child.type:
            case "softbreak" | "hardbreak":
                line += 1
                children.append(child)
            case "text":
                children += _placeholders(reading, child, line)
            case "link_open":
                _link(reading, child, line)
                children.append(child)
            case "image":
                _image(reading, child, line)
                children.append(child)
            case "html_inline":
                check_html(reading, child.content, line)
                children.append(child)
            case _:
                children.append(child)
    token.children = children


def check_html(reading: "Reading", html: str, line: int) -> None:
    """Say which elements the page will not show. The sanitiser removes them in any case."""
    for match in _TAG.finditer(re.sub(r"<!--.*?-->", lambda comment: "\n" * comment[0].count("\n"), html, flags=re.DOTALL)):
        if match[1].lower() not in AUTHORS_TAGS:
            reading.problem(line, f"the HTML element <{match[1].lower()}> is not allowed in a lesson", "Remove it, or use Markdown.")


def _placeholders(reading: "Reading", text: Token, line: int) -> list[Token]:
    result: list[Token] = []
    at = 0
    for match in _PLACEHOLDER.finditer(text.content):
        kind, value = match.groups()
        if kind != "port" or not value.isdigit() or not 1 <= int(value) <= 65535:
            reading.problem(line, f"unknown placeholder {match[0]}", "A link to a port of the machine is written {{port:8080}}.")
            continue
        result.append(Token("text", "", 0, content=text.content[at : match.start()]))
        result.append(Token("html_inline", "", 0, content=port_html(int(value))))
        reading.document.blocks.append(Port(line=line, within=reading.within, port=int(value)))
        at = match.end()
    result.append(Token("text", "", 0, content=text.content[at:]))
    return result


def _link(reading: "Reading", link: Token, line: int) -> None:
    target = str(link.attrGet("href") or "")
    if target.startswith("#"):
        reading.anchors.setdefault(target[1:], []).append(line)
        link.attrSet("href", f"#s-{target[1:]}")
    elif not re.match(r"(https?|mailto):", target, re.IGNORECASE):
        try:
            link.attrSet("href", reading.surroundings.page(target))
        except ReferenceProblem as error:
            reading.problem(line, error.text, error.remedy)


def _image(reading: "Reading", image: Token, line: int) -> None:
    if not image.content.strip():
        reading.problem(line, "a picture without a description", "Say in the brackets what it shows: ![A running container](...).")
    try:
        picture = reading.surroundings.picture(str(image.attrGet("src") or ""))
    except ReferenceProblem as error:
        reading.problem(line, error.text, error.remedy)
        return
    image.attrSet("src", picture.url)
    image.attrSet("loading", "lazy")
    if picture.width and picture.height:
        image.attrSet("width", str(picture.width))
        image.attrSet("height", str(picture.height))
