"""`manage.py maintenance on|off`: close the site's pages for a while, with words."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lessons.maintenance import MOST_WORDS, switch


class Command(BaseCommand):
    help = "Close the site's pages for maintenance, or open them again. Machines go on; staff can still sign in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("state", choices=("on", "off"))
        parser.add_argument("--text", default="", help="What visitors read, for example until when.")

    def handle(self, *args: Any, **options: Any) -> None:
        path = switch()
        text = options["text"].strip()
        if len(text) > MOST_WORDS:
            raise CommandError(f"The text has {len(text)} characters; {MOST_WORDS} are the most.")
        try:
            if options["state"] == "off":
                path.unlink(missing_ok=True)
                self.stdout.write("The site's pages are open.")
            else:
                path.write_text(text)
                path.chmod(0o644)
                self.stdout.write("The site's pages are closed to everybody but staff. Open them again: manage.py maintenance off")
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}. Run this as root, on the machine of the web process.") from error
