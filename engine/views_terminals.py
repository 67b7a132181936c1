"""The owner of a terminal lets somebody who watches it write, or no longer (docs/terminal-protocol.md)."""

import uuid
from typing import Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth import get_user_model
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine import audit
from engine.decorators import may
from engine.gateway.access import WATCH, group
from engine.models import Sandbox, Terminal, TerminalGrant


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    user: str = Field(max_length=150, description="The user name of the one who watches.")
    write: bool


def _refused(status: int, code: str, title: str, text: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "title": title, "text": text}}, status=status)


@never_cache
@require_POST
def write(request: HttpRequest, terminal_id: uuid.UUID) -> JsonResponse:
    """`{"user": "grace", "write": true}`; answers `{"writers": ["grace"]}`. Somebody else's terminal is not found."""
    try:
        wish = Wish.model_validate_json(request.body)
    except ValidationError:
        return _refused(400, "bad-request", _("This was not understood"), 'Send JSON like {"user": "grace", "write": true}.')
    if not request.user.is_authenticated:
        return _refused(403, "forbidden", _("You are signed out"), _("Sign in to use a terminal."))
    running = Terminal.objects.filter(id=terminal_id, sandbox__owner=request.user, sandbox__state=Sandbox.State.RUNNING)
    terminal = running.select_related("sandbox").first()
    if terminal is None:
        return _refused(404, "not-found", _("There is no such terminal"), _("It may have ended with its machine."))
    watcher = get_user_model().objects.filter(username=wish.user).first()
    if watcher is None or not may(watcher, WATCH):
        return _refused(404, "not-found", _("Nobody by that name"), _("%(name)s may not watch terminals.") % {"name": wish.user})
    return _done(request.user, terminal, watcher, wish.write)


def _done(owner: Any, terminal: Terminal, watcher: Any, write: bool) -> JsonResponse:
    if write:
        _, changed = TerminalGrant.objects.get_or_create(terminal=terminal, user=watcher)
    else:
        changed = TerminalGrant.objects.filter(terminal=terminal, user=watcher).delete()[0] > 0
    if changed:
        action: audit.Action = "terminal.grant" if write else "terminal.revoke"
        audit.record(owner, action, terminal.sandbox_id, terminal=terminal.number, user=watcher.get_username())
    try:
        async_to_sync(get_channel_layer().group_send)(group(terminal.id), {"type": "terminal.grants"})
    except (redis.RedisError, OSError):
        return _refused(503, "not-heard", _("This does not take effect yet"), _("The site's message service does not answer. Try again."))
    return JsonResponse({"writers": list(terminal.grants.values_list("user__username", flat=True).order_by("user__username"))})
