"""`manage.py makemessages`: Django's own, which also knows `t()` of the page's scripts."""

import re
from pathlib import Path

from django.core.management.commands import makemessages

CALL = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)*)"')


class Source(makemessages.BuildFile):
    """gettext reads JavaScript and stumbles over TypeScript, without a word about what it leaves out: it is given the calls alone."""

    @property
    def is_templatized(self) -> bool:
        return self.domain == "djangojs" or bool(super().is_templatized)

    def preprocess(self) -> None:
        if self.domain != "djangojs":
            super().preprocess()
            return
        calls = [f'gettext("{text}");\n' for text in CALL.findall(Path(self.path).read_text())]
        Path(self.work_path).write_text("".join(calls))


class Command(makemessages.Command):
    build_file_class = Source
    # A guessed translation is worse than a missing one, which a test names.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]
