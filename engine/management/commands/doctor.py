"""`manage.py doctor`: can this machine run sandboxes? Each problem with its remedy."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from engine.doctor import examine

COLOURS = {"ok": "SUCCESS", "warn": "WARNING", "fail": "ERROR"}


class Command(BaseCommand):
    help = "Look whether this machine can run sandboxes; name each problem and its remedy. Exit status 1 if one must be mended."
    requires_system_checks = ()  # it must speak also where the database does not

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            for finding in findings:
                style = getattr(self.style, COLOURS[finding.level])
                self.stdout.write(f"{style(finding.level.ljust(5))} {finding.what}: {finding.found}")
                if finding.remedy:
                    self.stdout.write(f"      {finding.remedy}")
        if any(finding.level == "fail" for finding in findings):
            raise SystemExit(1)
