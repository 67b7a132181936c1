"""Fenced blocks: transcripts, scripts, keys, files, diagrams and plain listings."""

import re
from typing import TYPE_CHECKING, Any

from markdown_it.token import Token

from lessons.markup.attributes import AttributeProblem, Fence, parse_fence
from lessons.markup.blocks import Console, File, Keys, Mermaid, Script
from lessons.markup.console import TranscriptProblem, parse_keys, parse_transcript
from lessons.markup.highlight import known_language
from lessons.markup.html import console_html, file_html, keys_html, listing_html, mermaid_html, script_html

if TYPE_CHECKING:
    from lessons.markup.document import Reading


def read_fence(reading: "Reading", token: Token) -> list[Token]:
    """Turn a fence into a block and its HTML. A fence that cannot be read is a problem and shown as a listing."""
    line = token.map[0] + 1 if token.map else 1
    _check_closed(reading, token, line)
    content = token.content.removesuffix("\n")
    try:
        fence = parse_fence(token.info)
        _check_attributes(fence)
        html = _read(reading, fence, content, line)
    except AttributeProblem as error:
        reading.problem(line, error.text, error.remedy)
        html = listing_html(content, "")
    except TranscriptProblem as error:
        reading.problem(line + 1 + error.line, error.text, error.remedy)
        html = listing_html(content, "")
    return [Token("html_block", "", 0, content=html)] if html else []


def _check_closed(reading: "Reading", token: Token, line: int) -> None:
    last = token.map[1] - 1 if token.map else 0
    closing = reading.lines[last].strip(" >\t") if last < len(reading.lines) else ""
    if last < line or not re.fullmatch(re.escape(token.markup[0]) + "{3,}", closing):
        reading.problem(line, "a block of code is not closed", f"End it with a line that holds only {token.markup}.")


def _check_attributes(fence: Fence) -> None:
    """Attributes that would do nothing are a mistake."""
    if "file" in fence.values:
        stray = fence.flags
    elif fence.language == "console":
        stray = fence.flags - {"norun", "interrupt"} - {"keys"}
    elif fence.language == "sh":
        stray = fence.flags & {"keys"}
    else:
        stray = fence.flags | (fence.values.keys() & {"terminal"})
    if stray:
        raise AttributeProblem(f"{{{min(stray)}}} does nothing on a {fence.language or 'plain'} block", "Remove it.")


def _read(reading: "Reading", fence: Fence, content: str, line: int) -> str:
    blocks, within = reading.document.blocks, reading.within
    runnable: dict[str, Any] = {"line": line, "within": within, "terminal": fence.terminal}
    interrupt = "interrupt" in fence.flags
    if "file" in fence.values:
        file = File(path=fence.values["file"], language=fence.language, content=content + "\n", **runnable)
        blocks.append(file)
        return file_html(file)
    match fence.language:
        case "console" if "keys" in fence.flags:
            keys = Keys(keys=parse_keys(content), **runnable)
            blocks.append(keys)
            return keys_html(keys)
        case "console":
            console = Console(commands=parse_transcript(content, line + 1), run=fence.runnable, interrupt=interrupt, **runnable)
            blocks.append(console)
            return console_html(console)
        case "sh" if within == "check":
            return _keep_script(reading, content, line)
        case "sh":
            script = Script(text=content, run=fence.runnable, interrupt=interrupt, **runnable)
            blocks.append(script)
            return script_html(script)
        case "mermaid":
            mermaid = Mermaid(line=line, within=within, source=content)
            blocks.append(mermaid)
            return mermaid_html(mermaid)
        case language:
            if language and not known_language(language):
                reading.problem(line, f"unknown language {language!r}", "Use one that Pygments knows, such as yaml, python or text.")
            return listing_html(content, language)


def _keep_script(reading: "Reading", content: str, line: int) -> str:
    """A check's script belongs to the machine that runs it, not to the page."""
    if reading.script:
        reading.problem(line, "a second script in a check", "One check has one script.")
    reading.script = (line, content)
    return ""
