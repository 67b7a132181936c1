"""Quizzes: a question, then a task list whose ticked items are the right answers."""

from collections.abc import Callable
from dataclasses import dataclass

from markdown_it.token import Token

from lessons.markup.blocks import Option


@dataclass(frozen=True)
class QuizParts:
    question: list[Token]
    options: list[Option]


def split_quiz(tokens: list[Token], render: Callable[[list[Token]], str]) -> QuizParts:
    """The tokens before the first task list, and its items. Without a task list there are no options."""
    start = next((index for index, token in enumerate(tokens) if _is_task_list(token)), len(tokens))
    options = [_option(item, render) for item in _items(tokens[start:])]
    return QuizParts(tokens[:start], options)


def _is_task_list(token: Token) -> bool:
    return token.type == "bullet_list_open" and "contains-task-list" in str(token.attrGet("class") or "")


def _items(tokens: list[Token]) -> list[list[Token]]:
    """Each item of the list that `tokens` begin with: its opening token, then what it holds."""
    if not tokens:
        return []
    level, items = tokens[0].level, list[list[Token]]()
    for token in tokens[1:]:
        if token.type == "bullet_list_close" and token.level == level:
            break
        if token.type == "list_item_open" and token.level == level + 1:
            items.append([token])
        elif not (token.type == "list_item_close" and token.level == level + 1):
            items[-1].append(token)
    return items


def _option(item: list[Token], render: Callable[[list[Token]], str]) -> Option:
    """The item's first line is the answer; the lines and blocks after it explain it."""
    opening, inside = item[0], item[1:]
    right = bool((opening.meta or {}).get("checked"))
    line = next((token for token in inside if token.type == "inline"), None)
    if line is None:
        return Option(html="", right=right)
    children = line.children or []
    cut = next((index for index, child in enumerate(children) if child.type in ("softbreak", "hardbreak")), len(children))
    after = inside[inside.index(line) + 2 :]  # past the paragraph's end
    rest = [Token("paragraph_open", "p", 1, block=True), _inline(children[cut + 1 :]), Token("paragraph_close", "p", -1, block=True)]
    explanation = (rest if children[cut + 1 :] else []) + after
    return Option(html=render([_inline(children[:cut])]), right=right, explanation=render(explanation))


def _inline(children: list[Token]) -> Token:
    return Token("inline", "", 0, children=children, block=True)
