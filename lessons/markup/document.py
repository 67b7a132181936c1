"""A lesson's file, read once: front matter, HTML, outline, blocks, and what is wrong with it."""

import re
from dataclasses import dataclass, field
from html import escape
from typing import Any

from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.gfm import gfm_plugin

from lessons.markup.blocks import Block, Check, Quiz, Section
from lessons.markup.fences import read_fence
from lessons.markup.inline import check_html, read_inline
from lessons.markup.problems import Problem, nearest
from lessons.markup.quiz import split_quiz
from lessons.markup.sanitise import sanitise
from lessons.markup.surroundings import Surroundings

SECTIONS = {"tldr": "TLDR", "commands": "Commands", "hint": "Hint", "solution": "Solution"}
CONTAINERS = (*SECTIONS, "check", "quiz")
ANCHOR = "s-"  # Headings must not take ids that the page around the lesson uses.


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").use(gfm_plugin, front_matter=True).use(deflist_plugin)
    # One rule for every name, so that a misspelt container is a problem and not a paragraph.
    return parser.use(container_plugin, "block", validate=lambda parameters, _markup: bool(parameters.strip()))


PARSER = _parser()


@dataclass
class Document:
    """`heading` is the file's `# Title`: the page shows the title itself, so it is not part of the HTML."""

    html: str = ""
    front_matter: str | None = None
    heading: str = ""
    outline: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_document(text: str, file: str, surroundings: Surroundings) -> Document:
    """Read a lesson. Never raises for what is in it: everything wrong is in `problems`."""
    return Reading(text, file, surroundings).document


class Reading:
    """One walk through a document's tokens, which turns them into those to render."""

    def __init__(self, text: str, file: str, surroundings: Surroundings) -> None:
        self.file, self.surroundings = file, surroundings
        self.document = Document()
        self.within = ""
        self.script: tuple[int, str] | None = None
        self.anchors: dict[str, list[int]] = {}
        self._slugs: set[tuple[str, str]] = set()
        # A byte order mark would hide the front matter.
        self.lines = re.split("\r\n|\r|\n", text.removeprefix("\ufeff"))
        self.environment: dict[str, Any] = {}
        # The last line needs its end: the container plugin looks at the character behind an empty line of a quotation.
        tokens = PARSER.parse("\n".join([*self.lines, ""]), self.environment)
        self.document.html = self.render(self.walk(tokens))
        self._check_anchors()
        self.document.problems.sort()

    def problem(self, line: int, text: str, remedy: str) -> None:
        self.document.problems.append(Problem(self.file, line, text, remedy))

    def render(self, tokens: list[Token]) -> str:
        return sanitise(str(PARSER.renderer.render(tokens, PARSER.options, self.environment)))

    def slug(self, kind: str, text: str) -> str:
        """Unique among the document's headings, checks or quizzes: `stop`, `stop-1`, ..., as GitHub numbers headings."""
        name = slugify(text, allow_unicode=True)[:60].strip("-") or kind
        unique, count = name, 0
        while (kind, unique) in self._slugs:
            count += 1
            unique = f"{name}-{count}"
        self._slugs.add((kind, unique))
        return unique

    def walk(self, tokens: list[Token]) -> list[Token]:
        result: list[Token] = []
        index = 0
        while index < len(tokens):
            token = tokens[index]
            end = index + 1
            match token.type:
                case "front_matter":
                    self.document.front_matter = token.content
                case "heading_open":
                    end = index + 3
                    result += self._heading(tokens[index:end])
                case "container_block_open":
                    end = _matching_close(tokens, index)
                    result += self._container(token, tokens[index + 1 : end - 1])
                case "paragraph_open" if _is_figure(tokens[index + 1]):
                    end = index + 3
                    read_inline(self, tokens[index + 1])
                    result.append(_figure((tokens[index + 1].children or [])[0]))
                case "fence":
                    result += read_fence(self, token)
                case "inline":
                    read_inline(self, token)
                    result.append(token)
                case "html_block":
                    check_html(self, token.content, line_of(token))
                    result.append(token)
                case "alert_open" | "alert_title_open":
                    _alert(token)
                    result.append(token)
                case "th_open" | "td_open":
                    align = str(token.attrs.pop("style", "")).removeprefix("text-align:")
                    if align:
                        token.attrSet("class", f"align-{align}")
                    result.append(token)
                case _:
                    result.append(token)
            index = end
        return result

    def _heading(self, tokens: list[Token]) -> list[Token]:
        opening, inline, _ = tokens
        line = line_of(opening)
        title = plain_text(inline)
        if opening.tag == "h1":
            if self.document.heading or self.document.outline:
                self.problem(line, f"a second title, {title!r}", "A lesson has one heading with a single #. Use ## for its sections.")
            self.document.heading = self.document.heading or title
            return []
        read_inline(self, inline)
        identifier = ANCHOR + self.slug("section", title)
        if opening.tag in ("h2", "h3", "h4"):
            opening.attrSet("id", identifier)
        if opening.tag in ("h2", "h3"):
            self.document.outline.append({"id": identifier, "title": title, "level": int(opening.tag[1])})
        return tokens

    def _container(self, opening: Token, inside: list[Token]) -> list[Token]:
        name, _, title = opening.info.strip().partition(" ")
        title, line = title.strip(), line_of(opening)
        closing = opening.map[1] if opening.map else 0
        if closing >= len(self.lines) or not re.fullmatch(r"[\s>]*:{3,}\s*", self.lines[closing]):
            self.problem(line, f"`::: {name}` is not closed", "End it with a line that holds only :::.")
        if name not in CONTAINERS:
            self.problem(line, f"unknown block `::: {name}`", nearest(name, CONTAINERS))
            return self.walk(inside)
        if name == "check":
            return self._check(title, line, inside)
        if name == "quiz":
            return self._quiz(title, line, inside)
        source = "\n".join(self.lines[line:closing])
        section = Section.model_validate(
            {"line": line, "within": self.within, "name": name, "title": title or SECTIONS[name], "source": source}
        )
        self.document.blocks.append(section)
        if name in ("tldr", "commands"):
            return [raw(f'<section class="{name}">\n'), *self._inside(name, inside), raw("</section>\n")]
        summary = f"<summary>{PARSER.renderInline(section.title)}</summary>\n"
        return [raw(f'<details class="{name}">{summary}'), *self._inside(name, inside), raw("</details>\n")]

    def _inside(self, name: str, tokens: list[Token]) -> list[Token]:
        outer, self.within = self.within, name
        try:
            return self.walk(tokens)
        finally:
            self.within = outer

    def _check(self, title: str, line: int, inside: list[Token]) -> list[Token]:
        if not title:
            self.problem(line, "a check without a question", "Write it behind the name: ::: check Is web1 running?")
        self.script = None
        prose = self._inside("check", inside)
        if self.script is None:
            self.problem(line, "a check without a script", "Put a ```sh block into it that ends with status 0 when the task is done.")
        slug = self.slug("check", title)
        script = self.script[1] if self.script else ""
        self.document.blocks.append(Check(line=line, within=self.within, slug=slug, title=title, script=script))
        task = PARSER.renderInline(title)
        head = f'<section class="check" data-check="{escape(slug)}"><p class="check-title">Try it</p><p class="check-task">{task}</p>\n'
        return [raw(head), *prose, raw("</section>\n")]

    def _quiz(self, title: str, line: int, inside: list[Token]) -> list[Token]:
        if title:
            self.problem(line, f"text behind `::: quiz`: {title!r}", "Put the question on the next line.")
        parts = split_quiz(self._inside("quiz", inside), self.render)
        words = " ".join(plain_text(token) for token in parts.question if token.type == "inline")
        if not words:
            self.problem(line, "a quiz without a question", "Write it above the list of answers.")
        if len(parts.options) < 2:
            self.problem(line, "a quiz needs two answers or more", "List them as - [x] right and - [ ] wrong.")
        elif not any(option.right for option in parts.options):
            self.problem(line, "a quiz without a right answer", "Tick it with - [x].")
        slug = self.slug("quiz", words)
        question = self.render(parts.question)
        self.document.blocks.append(Quiz(line=line, within=self.within, slug=slug, question=question, options=parts.options))
        items = "".join(f"<li>{option.html}</li>\n" for option in parts.options)
        head = f'<section class="quiz" data-quiz="{escape(slug)}"><p class="quiz-title">Question</p>\n'
        return [raw(f'{head}{question}<ul class="quiz-options">\n{items}</ul></section>\n')]

    def _check_anchors(self) -> None:
        known = {slug for kind, slug in self._slugs if kind == "section"}
        for anchor, lines in self.anchors.items():
            if anchor not in known:
                for line in lines:
                    self.problem(line, f"no section #{anchor}", nearest(anchor, known) if known else "Add the heading.")


def raw(html: str) -> Token:
    return Token("html_block", "", 0, content=html)


def line_of(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


def plain_text(inline: Token) -> str:
    return "".join(" " if child.type == "softbreak" else child.content for child in inline.children or []).strip()


def _matching_close(tokens: list[Token], start: int) -> int:
    """Index behind the token that closes the one at `start`."""
    level = tokens[start].level
    return next(index + 1 for index in range(start + 1, len(tokens)) if tokens[index].nesting == -1 and tokens[index].level == level)


def _is_figure(inline: Token) -> bool:
    return len(inline.children or []) == 1 and (inline.children or [])[0].type == "image"


def _figure(image: Token) -> Token:
    """A picture alone in its paragraph; its title is the caption."""
    caption = image.attrs.pop("title", "")
    picture = PARSER.renderer.render([Token("inline", "", 0, children=[image])], PARSER.options, {})
    return raw(f"<figure>{picture}{f'<figcaption>{escape(str(caption))}</figcaption>' if caption else ''}</figure>\n")


def _alert(token: Token) -> None:
    name = str(token.attrGet("class")).replace("markdown-", "")
    token.attrSet("class", name)
    if token.type == "alert_open":
        token.attrSet("role", "note")
