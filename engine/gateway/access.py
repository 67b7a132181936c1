"""Who may open a terminal, and as what: its owner writes; staff with the right to watch reads, and writes while the owner lets them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model

from engine import audit
from engine.decorators import may
from engine.gateway import frames
from engine.models import Sandbox, Terminal, TerminalGrant

WATCH = "engine.watch_terminal"


@dataclass(frozen=True)
class Visit:
    """A terminal and who opens it."""

    terminal: Terminal
    user_id: int
    user: str
    name: str
    owner: bool


def group(terminal_id: UUID) -> str:
    """The Channels group that hears when the owner of this terminal lets somebody write, or no longer."""
    return f"terminal.{terminal_id.hex}"


@sync_to_async
def visit(user: Any, terminal_id: UUID) -> Visit | int:
    """The visit, or the code to close with where this user may not have this terminal."""
    if not user.is_authenticated:
        return frames.NOT_LOGGED_IN
    terminal = Terminal.objects.select_related("sandbox__node", "sandbox__owner").filter(id=terminal_id).first()
    if terminal is None:
        return frames.NO_SUCH_TERMINAL
    owner = terminal.sandbox.may_be_used_by(user)
    if not owner and (terminal.sandbox.owner is None or not may(user, WATCH)):
        return frames.NOT_YOURS
    if terminal.sandbox.state != Sandbox.State.RUNNING:
        return frames.ENDED
    return Visit(terminal, user.pk, user.get_username(), user.get_full_name() or user.get_username(), owner)


@sync_to_async
def note_watching(visit: Visit, user: Any) -> None:
    """Put it into the audit log that staff opened a learner's terminal."""
    sandbox = visit.terminal.sandbox
    audit.record(user, "terminal.watch", sandbox.id, terminal=visit.terminal.number, owner=str(sandbox.owner))


@sync_to_async
def may_write(visit: Visit) -> bool:
    return visit.owner or TerminalGrant.objects.filter(terminal=visit.terminal, user_id=visit.user_id).exists()


@sync_to_async
def still_watches(visit: Visit) -> bool:
    """Asked again of the database: the right may have been taken away."""
    return may(get_user_model().objects.get(pk=visit.user_id), WATCH)


@sync_to_async
def end_grant(visit: Visit) -> None:
    """The leave to write lasts as long as the watching."""
    TerminalGrant.objects.filter(terminal=visit.terminal, user_id=visit.user_id).delete()
