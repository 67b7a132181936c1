"""The last step of set-up: database, static files, course, and demo accounts with `--demo`. Runs in the site's own Python environment."""

import os
import sys
import time

import django
from django.core.management import call_command

from deploy.installation import SOURCE

STEPS = (
    ("database", ["migrate", "--no-input", "-v", "0"]),
    ("static files", ["collectstatic", "--no-input", "-v", "0"]),
    ("course", ["course", "import", str(SOURCE / "courses" / "docker")]),
)


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "playground.settings")
    django.setup()
    demo = [("demo accounts", ["demo"])] if "--demo" in sys.argv[1:] else []
    for title, command in (*STEPS, *demo):
        begun = time.monotonic()
        call_command(*command)
        print(f"{title}: {time.monotonic() - begun:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
