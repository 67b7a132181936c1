"""A gettext catalogue, read from its text (GNU gettext's manual, "The Format of PO Files")."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

FIELD = re.compile(r'(msgid|msgid_plural|msgstr(?:\[\d\])?) (".*")')


@dataclass
class Entry:
    msgid: str = ""
    plural: str = ""
    translations: list[str] = field(default_factory=list)
    fuzzy: bool = False


def entries(path: Path) -> list[Entry]:
    """All but the header."""
    found: list[Entry] = []
    for block in path.read_text().split("\n\n"):
        entry, name = Entry(fuzzy="\n#, fuzzy" in f"\n{block}"), ""
        for line in block.splitlines():
            match = FIELD.fullmatch(line)
            if match:
                name = match[1]
                if name.startswith("msgstr"):
                    entry.translations.append("")
            text = ast.literal_eval(match[2] if match else line) if match or line.startswith('"') else ""
            if name == "msgid":
                entry.msgid += text
            elif name == "msgid_plural":
                entry.plural += text
            elif name:
                entry.translations[-1] += text
        if entry.msgid:
            found.append(entry)
    return found
