"""Who may reach a port: its sandbox's owner, and whom they gave a link. Asked for every request, and again while one goes on."""

from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.db.models import F
from django.dispatch import receiver

from engine.models import Preview, Sandbox
from engine.preview import tokens
from engine.preview.hosts import Place
from engine.preview.problems import ELSEWHERE, LINK_OVER, NO_MACHINE, NOT_LET_IN, NOT_YOURS, Problem
from engine.preview.tokens import BadToken, Pass


@dataclass(frozen=True)
class Visit:
    """Somebody who may be at this place."""

    place: Place
    granted: Pass
    preview: Preview


class Refused(Exception):
    """`enter`: the site may let them in, if they are signed in there as the owner."""

    def __init__(self, problem: Problem, *, enter: bool = False) -> None:
        super().__init__(problem.title)
        self.problem, self.enter = problem, enter


def cookie_value(header: str) -> str:
    """Our cookie in a Cookie header. A learner's own cookies may be anything: only ours has to parse."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == tokens.cookie_name():
            return value
    return ""


async def visit(place: Place, cookies: str) -> Visit:
    """The visit this Cookie header stands for. Raises Refused."""
    value = cookie_value(cookies)
    if not value:
        raise Refused(NOT_LET_IN, enter=True)
    try:
        granted = tokens.read_cookie(value, place)
    except BadToken:
        raise Refused(NOT_LET_IN, enter=True) from None
    return Visit(place, granted, await check(place, granted))


@sync_to_async
def check(place: Place, granted: Pass) -> Preview:
    """The preview, if the pass is still good for it. Raises Refused."""
    if granted.expired:
        raise Refused(NOT_LET_IN if granted.owner else LINK_OVER, enter=bool(granted.owner))
    rows = Preview.objects.select_related("sandbox__node", "sandbox__owner").defer("sandbox__files", "sandbox__setup")
    preview = rows.filter(key=place.key).first()
    if preview is None or preview.sandbox.state != Sandbox.State.RUNNING:
        raise Refused(NO_MACHINE)
    owner = preview.sandbox.owner
    if granted.owner is None:
        if granted.epoch != preview.share_epoch:
            raise Refused(LINK_OVER)
    elif owner is None or not owner.is_active or owner.pk != granted.owner:
        raise Refused(NOT_YOURS)
    elif granted.epoch != preview.entry_epoch:
        raise Refused(NOT_LET_IN, enter=True)
    if preview.sandbox.node is None or preview.sandbox.node.name != settings.NODE:
        raise Refused(ELSEWHERE)
    return preview


@sync_to_async
def site_of(place: Place) -> str:
    """Origin of the site its owner came from; empty where nobody has come yet."""
    return Preview.objects.filter(key=place.key).values_list("site", flat=True).first() or ""


@receiver(user_logged_out)
def send_away(sender: Any, user: Any = None, **_: Any) -> None:
    """Who signs out leaves their previews too, in every browser; the links they gave away stay."""
    if user is not None:
        Preview.objects.filter(sandbox__owner=user, sandbox__state__in=Sandbox.LIVE).update(entry_epoch=F("entry_epoch") + 1)
