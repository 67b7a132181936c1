"""Giving somebody else a link to a port, and taking all links back."""

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import F
from django.http import HttpRequest
from django.utils.translation import gettext as _

from engine.errors import Ended
from engine.models import Preview, Sandbox
from engine.preview import hosts, tokens
from engine.preview.app import ENTER
from engine.preview.hosts import Place


def link(request: HttpRequest, sandbox: Sandbox, port: int) -> dict[str, Any]:
    """A link for whoever has it, good for an hour or as long as the machine runs. Raises Ended."""
    preview = Preview.objects.filter(sandbox=sandbox).first()
    if preview is None or sandbox.state != Sandbox.State.RUNNING:
        raise Ended(_("It has ended already. Start a fresh one."))
    expires = min(int(time.time()) + tokens.SHARE_LIFE, int(sandbox.deadline_at.timestamp()))
    place = Place(port, preview.key)
    token = tokens.share(place, preview.share_epoch, expires)
    url = f"{hosts.origin_of(place, request)}{ENTER}?{urlencode({'link': token})}"
    return {"url": url, "expires_at": datetime.fromtimestamp(expires, UTC).isoformat()}


def take_back(sandbox: Sandbox) -> None:
    """Make every link to its ports void; who came by one is sent away within seconds."""
    Preview.objects.filter(sandbox=sandbox).update(share_epoch=F("share_epoch") + 1)
