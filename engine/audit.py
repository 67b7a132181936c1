"""Writing the audit log: every start, end and refusal of a sandbox, and everything an admin changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from engine.audit_models import AuditEntry
from engine.errors import Refused

Action = Literal[
    "sandbox.queue",
    "sandbox.start",
    "sandbox.end",
    "sandbox.refused",
    "sandbox.limits",
    "quota.create",
    "quota.change",
    "quota.remove",
    "node.change",
    "node.drain",
    "node.resume",
]
ENGINE = "engine"  # the actor of what the site does by itself


def record(actor: Any, action: Action, subject: object, **detail: Any) -> None:
    """Add an entry. `actor` is a user, or None for the site itself; `detail` is JSON."""
    name = actor.get_username() if actor is not None else ENGINE
    AuditEntry.objects.create(actor=name[:150], action=action, subject=str(subject)[:200], detail=detail)


@contextmanager
def refusals(user: Any, subject: str) -> Iterator[None]:
    """Note a refusal that leaves the block. Goes around the transaction: what is written within is undone with it."""
    try:
        yield
    except Refused as error:
        record(user, "sandbox.refused", subject, code=error.code, title=error.title, text=error.text)
        raise
