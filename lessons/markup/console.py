"""Transcripts: which lines are commands, what each prints, and which keys a `{keys}` block names."""

import re

from lessons.markup.blocks import Command
from lessons.markup.problems import nearest

PROMPTS = ("$", "#")
NAMED_KEYS = {
    *("Enter", "Tab", "Esc", "Space", "Backspace", "Delete", "Insert", "Up", "Down", "Left", "Right", "Home", "End", "PageUp", "PageDown"),
    *(f"F{number}" for number in range(1, 13)),
}


class TranscriptProblem(Exception):
    """`line` is relative to the block's first line, from 0."""

    def __init__(self, line: int, text: str, remedy: str) -> None:
        super().__init__(text)
        self.line, self.text, self.remedy = line, text, remedy


def parse_transcript(text: str, first_line: int) -> list[Command]:
    """The commands of a console block. Raises TranscriptProblem.

    A command goes on over lines that follow a trailing backslash, and over lines that begin with the shell's `> `
    as long as nothing has been printed. A lone `>` is an empty line of a heredoc.
    """
    commands: list[Command] = []
    command: list[str] = []
    output: list[str] = []
    prompt, begun = "", 0

    def finish() -> None:
        if command:
            words = {"line": first_line + begun, "prompt": prompt, "text": "\n".join(command), "output": list(output)}
            commands.append(Command.model_validate(words))
        command.clear()
        output.clear()

    for number, line in enumerate(text.split("\n")):
        if line[:2] in ("$ ", "# "):
            finish()
            prompt, begun = line[0], number
            command.append(line[2:].rstrip(" "))
        elif not command:
            if line.strip():
                raise TranscriptProblem(
                    number, f"output without a command: {line.strip()[:60]!r}", "Begin a transcript with a line like $ COMMAND."
                )
        elif not output and (line == ">" or line.startswith("> ")):
            command.append(line[2:])
        elif not output and command[-1].endswith("\\"):
            command.append(line)
        else:
            output.append(line)
    finish()
    if not commands:
        raise TranscriptProblem(0, "a transcript without a command", "Begin a command's line with $ or #, and a space.")
    return commands


def parse_keys(text: str) -> list[str]:
    """The keys of a block like `Ctrl-P Ctrl-Q`. Raises TranscriptProblem."""
    keys: list[str] = []
    for number, line in enumerate(text.split("\n")):
        for word in line.split():
            *modifiers, key = re.split(r"-(?=.)", word)
            unknown = [name for name in modifiers if name not in ("Ctrl", "Alt", "Shift")]
            if unknown or not (len(key) == 1 or key in NAMED_KEYS):
                wrong = unknown[0] if unknown else key
                raise TranscriptProblem(number, f"unknown key {word!r}", nearest(wrong, {*NAMED_KEYS, "Ctrl", "Alt", "Shift"}))
            keys.append(word)
    if not keys:
        raise TranscriptProblem(0, "a block of keys without a key", "List them, as in Ctrl-P Ctrl-Q.")
    return keys
