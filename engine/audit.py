"""Writing the audit log: every start, end and refusal of a sandbox, and everything an admin changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

from django.utils import timezone

from engine.audit_models import AuditEntry
from engine.errors import Refused

Action = Literal[
    "sandbox.queue",
    "sandbox.start",
    "sandbox.end",
    "sandbox.refused",
    "sandbox.limits",
    "sandbox.extend",
    "quota.create",
    "quota.change",
    "quota.remove",
    "node.change",
    "node.drain",
    "node.resume",
    "saved.save",
    "saved.resume",
    "saved.delete",
    "terminal.watch",
    "terminal.grant",
    "terminal.revoke",
    "account.export",
    "account.delete",
]
ENGINE = "engine"  # the actor of what the site does by itself; nobody may sign up under this name
REFUSALS_EVERY = timedelta(minutes=1)


def record(actor: Any, action: Action, subject: object, **detail: Any) -> None:
    """Add an entry. `actor` is a user, or None for the site itself; `detail` is JSON."""
    name = actor.get_username() if actor is not None else ENGINE
    AuditEntry.objects.create(actor=name[:150], action=action, subject=str(subject)[:200], detail=detail)


@contextmanager
def refusals(user: Any, subject: str) -> Iterator[None]:
    """Note a refusal that leaves the block, once a minute for each user and kind.

    Goes around the transaction: what is written within is undone with it.
    """
    try:
        yield
    except Refused as error:
        # The log only grows, and who asks in a loop must not make it: one entry a minute says as much.
        lately = AuditEntry.objects.filter(at__gt=timezone.now() - REFUSALS_EVERY, actor=user.get_username(), action="sandbox.refused")
        if not lately.filter(detail__code=error.code).exists():
            record(user, "sandbox.refused", subject, code=error.code, title=error.title, text=error.text)
        raise
