"""`manage.py demo`: the accounts of a first look at the site: student, instructor, admin."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from playground.environment import env

ACCOUNTS = ("student", "instructor", "admin")
INSTRUCTORS = "Instructors"


def demo_password() -> str:
    """The operator's choice, or the one set-up made. Raises CommandError when there is neither."""
    if env.demo_password:
        return env.demo_password
    path = settings.STATE / "secrets" / "demo_password"
    if not path.exists():
        raise CommandError("No password for the demo accounts: set PLAYGROUND_DEMO_PASSWORD, or run `make setup`, which makes one.")
    return str(path.read_text().strip())


class Command(BaseCommand):
    help = "Make the demo accounts student, instructor and admin, all with the demo password. Safe to repeat."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        password = demo_password()
        group, _ = Group.objects.get_or_create(name=INSTRUCTORS)
        for name in ACCOUNTS:
            user, _ = User.objects.get_or_create(username=name, defaults={"email": f"{name}@playground.invalid"})
            user.is_staff = user.is_superuser = name == "admin"
            # Hashing costs a tenth of a second and ends the user's sessions: only when the password is another one.
            if not user.check_password(password):
                user.set_password(password)
            user.save()
            if name == "instructor":
                user.groups.add(group)
