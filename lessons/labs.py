"""Labs as a learner sees them: start, look at, keep, stop. The machine itself is the engine's."""

import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from engine import audit, saving, waiting
from engine.describe import describe
from engine.extending import extend_sandbox
from engine.lifecycle import SandboxRequest, keep_sandbox, request_sandbox, stop_sandbox
from engine.models import Node, Sandbox
from lessons.errors import BadRequest, NotFound, TooMany
from lessons.lab_files import lab_tar
from lessons.models import VISIT, LabSession, Lesson

# A machine costs the host a second of work; a script that starts and stops them in a loop is slowed down.
MOST_STARTS, STARTS_WINDOW = 20, timedelta(minutes=10)
ENDED = (Sandbox.State.STOPPING, Sandbox.State.STOPPED, Sandbox.State.FAILED)
_WISHES = ("image", "profile", "memory", "cpus", "pids", "disk", "idle", "deadline", "network", "terminals", "setup")


def labs_of(user: Any) -> "QuerySet[LabSession]":
    """The user's lab sessions with all that `lab_json` reads, in three queries."""
    # A sandbox's files are megabytes, and a lesson's text is not needed either.
    sandboxes = Sandbox.objects.defer("files", "setup").select_related("preview", "saved_as").prefetch_related("terminals")
    sessions = LabSession.objects.filter(user=user).select_related("lesson__chapter__course")
    return sessions.defer("lesson__source", "lesson__html", "lesson__blocks", "lesson__outline").prefetch_related(
        Prefetch("sandboxes", sandboxes)
    )


def find_lab(user: Any, lab_id: uuid.UUID) -> LabSession:
    """Raises NotFound, also for somebody else's lab: who asks need not learn that it exists."""
    session = labs_of(user).filter(pk=lab_id).first()
    if session is None or sandbox_of(session) is None:
        raise NotFound(_("This machine is not there any more, or it is not yours. Start a fresh one."))
    return session


def sandbox_of(session: LabSession) -> Sandbox | None:
    """Its machine. None when the engine has forgotten an ended one."""
    return next(iter(session.sandboxes.all()), None)


def machine_of(session: LabSession) -> Sandbox:
    """Raises NotFound."""
    sandbox = sandbox_of(session)
    if sandbox is None:
        raise NotFound(_("This machine is not there any more. Start a fresh one."))
    return sandbox


def lab_json(session: LabSession) -> dict[str, Any]:
    """The lab as docs/architecture.md has it, and what a list of machines needs to name its lesson."""
    sandbox = machine_of(session)
    _settle(session)
    lesson = session.lesson
    names = {"id": str(session.pk), "lesson": lesson.path, "lesson_title": lesson.title, "lesson_url": lesson.get_absolute_url()}
    return names | describe(sandbox)


def _settle(session: LabSession) -> bool:
    """Mark the session as ended if its machine has. The engine does not know of sessions, so whoever looks does this."""
    sandbox = sandbox_of(session)
    if session.ended_at is None and (sandbox is None or sandbox.state in ENDED):
        session.ended_at = (sandbox.ended_at if sandbox else None) or timezone.now()
        LabSession.objects.filter(pk=session.pk, ended_at=None).update(ended_at=session.ended_at)
    return session.ended_at is not None


def open_labs(user: Any) -> list[LabSession]:
    """The labs that run now, the newest first."""
    return [session for session in labs_of(user).filter(ended_at=None) if not _settle(session)]


def lab_to_show(user: Any, lesson: Lesson) -> LabSession | None:
    """The lesson's lab that runs, or the last one if it ended in this visit, so that the page can say why."""
    session = labs_of(user).filter(lesson=lesson).first()
    if session is None or sandbox_of(session) is None:
        return None
    recent = session.ended_at is None or timezone.now() - session.ended_at < VISIT
    return session if recent else None


def start(user: Any, lesson: Lesson) -> tuple[LabSession, bool]:
    """The lesson's lab and whether it is new: one that runs is given back. Raises Refused."""
    if lesson.lab is None:
        raise BadRequest(_("This lesson has no machine."))
    try:
        with audit.refusals(user, lesson.path):
            session, created = _start(user, lesson)
    except IntegrityError:
        # Another request of this user was first, and the constraint undid ours with its machine.
        session, created = LabSession.objects.get(user=user, lesson=lesson, ended_at=None), False
    return find_lab(user, session.pk), created


@transaction.atomic
def _start(user: Any, lesson: Lesson) -> tuple[LabSession, bool]:
    # Two requests of one user wait for each other here (SQLite serialises writers by itself).
    get_user_model().objects.select_for_update().get(pk=user.pk)
    if running := running_lab(user, lesson):
        return running, False
    refuse_too_many(user)
    session = LabSession.objects.create(user=user, lesson=lesson)
    session.sandboxes.add(request_sandbox(user, sandbox_request(lesson)))
    return session, True


def running_lab(user: Any, lesson: Lesson) -> LabSession | None:
    """The user's lab of this lesson that has not ended."""
    running = labs_of(user).filter(lesson=lesson, ended_at=None).first()
    return running if running and not _settle(running) else None


def refuse_too_many(user: Any) -> None:
    """Raises TooMany."""
    if LabSession.objects.filter(user=user, created_at__gt=timezone.now() - STARTS_WINDOW).count() >= MOST_STARTS:
        text = _("You started %(count)s machines within ten minutes. Wait a few minutes, then start the next one.")
        raise TooMany(text % {"count": MOST_STARTS})


def sandbox_request(lesson: Lesson) -> SandboxRequest:
    """What the lesson asks the engine for. Raises BadRequest."""
    lab = lesson.lab or {}
    wishes = {name: lab[name] for name in _WISHES if lab.get(name) is not None}
    return SandboxRequest(**wishes, files=lab_tar(lesson), label=lesson.path[:200], may_wait=True)


def seen(session: LabSession) -> bool:
    """Its page is there: a machine that waits keeps its place in the line. Tells whether it waits."""
    sandbox = sandbox_of(session)
    if sandbox is None or sandbox.state != Sandbox.State.QUEUED:
        return False
    waiting.seen([sandbox.id])
    return True


def keep(session: LabSession) -> None:
    """Start its idle clock again. Raises Ended."""
    sandbox = sandbox_of(session)
    if sandbox:
        keep_sandbox(sandbox)


def extend(session: LabSession, by: Any) -> None:
    """Give it more time, as far as the quotas go. Raises Ended, NoMoreTime."""
    sandbox = sandbox_of(session)
    if sandbox:
        extend_sandbox(sandbox, by)


def stop(session: LabSession, by: Any) -> None:
    """End it. No error if it has ended."""
    sandbox = sandbox_of(session)
    if sandbox:
        stop_sandbox(sandbox, reason="user", by=by)


def save(session: LabSession, name: str, by: Any) -> None:
    """Keep its machine for another day, and stop it. Raises Ended or OverSavedDisk."""
    sandbox = sandbox_of(session)
    if sandbox:
        with audit.refusals(by, session.lesson.path):
            saving.save(sandbox, name, by)


def lab_config(lesson: Lesson) -> dict[str, Any] | None:
    """What the lesson's page says of its machine before there is one."""
    if lesson.lab is None:
        return None
    image = lesson.lab["image"]
    known = [images[image] for images in Node.objects.values_list("images", flat=True) if image in images]
    title = known[0].get("title") if known else None
    return {
        "image": image,
        "title": title or image.capitalize(),
        "ports": lesson.lab["ports"],
        "terminals": lesson.lab["terminals"],
    }
