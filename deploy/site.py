"""The last step of set-up: database, static files, course, and demo accounts with `--demo`. Runs in the site's own Python environment."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.template.loader import render_to_string

from deploy import stamps
from deploy.installation import SOURCE


def static_digest() -> str:
    """What the collected static files follow from: those of our own, those in packages (whose versions are locked), the settings."""
    ours = [Path(directory) for directory in settings.STATICFILES_DIRS]
    ours += [Path(app.path) / "static" for app in apps.get_app_configs() if Path(app.path).is_relative_to(SOURCE)]
    files = [path for directory in ours for path in directory.rglob("*") if path.is_file()]
    return stamps.digest([*files, SOURCE / "requirements.txt", SOURCE / "playground" / "settings.py"])


def collect_static() -> None:
    """Collect and compress, unless nothing changed: whitenoise compresses every file anew each time."""
    stamp, wanted = settings.STATE / "static.stamp", static_digest()
    if not stamps.matches(stamp, wanted):
        call_command("collectstatic", "--no-input", "--clear", "-v", "0")
        stamps.write(stamp, wanted)
    # What nginx shows while the site itself does not answer.
    (Path(settings.STATIC_ROOT) / "unavailable.html").write_text(render_to_string("503.html"))


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "playground.settings")
    django.setup()
    steps: list[tuple[str, Callable[[], object]]] = [
        ("database", lambda: call_command("migrate", "--no-input", "-v", "0")),
        ("static files", collect_static),
        ("course", lambda: call_command("course", "import", str(SOURCE / "courses" / "docker"))),
    ]
    if "--demo" in sys.argv[1:]:
        steps.append(("demo accounts", lambda: call_command("demo")))
    for title, act in steps:
        begun = time.monotonic()
        act()
        print(f"{title}: {time.monotonic() - begun:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
