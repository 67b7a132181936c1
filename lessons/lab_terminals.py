"""The terminals of a lab over HTTP: one more, its name, a fresh shell, its end, its transcript (docs/architecture.md)."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from engine import terminals
from engine.gateway.transcript import transcript
from engine.models import Sandbox, Terminal
from engine.runtime import conmon
from lessons import labs
from lessons.decorators import Answer, signed_in_json
from lessons.errors import BadRequest, NotFound
from lessons.models import LabSession


class OpenRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    number: int | None = Field(default=None, ge=1, le=terminals.MOST)


class RenameRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _lab(user: Any, lab_id: uuid.UUID) -> tuple[LabSession, Sandbox]:
    """Raises NotFound, also for somebody else's."""
    session = labs.find_lab(user, lab_id)
    return session, labs.machine_of(session)


def _terminal(sandbox: Sandbox, number: int) -> Terminal:
    found = sandbox.terminals.filter(number=number).exclude(state=Terminal.State.CLOSING).first()
    if found is None:
        raise NotFound(_("This machine has no terminal %(number)s any more.") % {"number": number})
    return found


def _answer(user: Any, session: LabSession) -> dict[str, Any]:
    return labs.lab_json(labs.find_lab(user, session.pk))


@signed_in_json("POST")
def open_one(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    """202: it is being opened, and whoever connects to it waits for its shell. 200 where that number is there already."""
    try:
        wanted = OpenRequest.model_validate_json(request.body or b"{}")
    except ValidationError as error:
        raise BadRequest(f'Send JSON like {{"number": 2}}; numbers go to {terminals.MOST}.') from error
    session, sandbox = _lab(request.user, lab_id)
    terminal = terminals.open_one(sandbox, wanted.number)
    return _answer(request.user, session) | {"opening": terminal.number}, 200 if terminal.state == Terminal.State.OPEN else 202


@signed_in_json("POST")
def rename(request: HttpRequest, lab_id: uuid.UUID, number: int) -> Answer:
    session, sandbox = _lab(request.user, lab_id)
    try:
        wanted = RenameRequest.model_validate_json(request.body)
    except ValidationError as error:
        raise BadRequest(_("A name is one line of 40 characters at most.")) from error
    terminals.rename(sandbox, _terminal(sandbox, number), wanted.title)
    return _answer(request.user, session), 200


@signed_in_json("POST")
def restart(request: HttpRequest, lab_id: uuid.UUID, number: int) -> Answer:
    session, sandbox = _lab(request.user, lab_id)
    terminals.restart(sandbox, _terminal(sandbox, number))
    return _answer(request.user, session), 202


@signed_in_json("POST")
def close(request: HttpRequest, lab_id: uuid.UUID, number: int) -> Answer:
    session, sandbox = _lab(request.user, lab_id)
    terminals.close(sandbox, _terminal(sandbox, number))
    return _answer(request.user, session), 200


@never_cache
@login_required
@require_GET
def download_transcript(request: HttpRequest, lab_id: uuid.UUID, number: int) -> HttpResponse | StreamingHttpResponse:
    """All that the terminal's log has, as a text file. A person opens this address, so a refusal is a page."""
    try:
        session, sandbox = _lab(request.user, lab_id)
        terminal = _terminal(sandbox, number)
        pieces = transcript(settings.STATE / "sandboxes" / sandbox.id.hex / "terminals" / str(number) / conmon.LOG_NAME)
        first = next(pieces)
    except (NotFound, FileNotFoundError, PermissionError):
        return render(request, "404.html", status=404)
    response = StreamingHttpResponse(_stream(first, pieces), content_type="text/plain; charset=utf-8")
    name = "-".join(re.findall(r"[a-z0-9]+", f"{session.lesson.slug} {terminal}".lower()))
    response["Content-Disposition"] = f'attachment; filename="{name}.txt"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


async def _stream(first: str, pieces: Iterator[str]) -> AsyncIterator[bytes]:
    """Each piece is made in a thread: 32 MiB of log take seconds, and the server's loop carries everybody's keystrokes."""
    piece: str | None = first
    while piece is not None:
        if piece:
            yield piece.encode()
        piece = await asyncio.to_thread(next, pieces, None)
