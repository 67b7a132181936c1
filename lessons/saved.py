"""Saved machines as a learner sees them: listed at home and on their lesson's page, resumed there, deleted."""

import uuid
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from engine import audit, quotas, saving
from engine.errors import Busy
from engine.models import SavedMachine
from engine.runtime.spec import format_size
from lessons import courses, labs
from lessons.errors import BadRequest, NotFound
from lessons.models import LabSession, Lesson

WORDS = {
    SavedMachine.State.SAVING: gettext_noop("Saving"),
    SavedMachine.State.SAVED: gettext_noop("Saved"),
    SavedMachine.State.RUNNING: gettext_noop("In use"),
    SavedMachine.State.FAILED: gettext_noop("Failed"),
}
DOTS = {SavedMachine.State.SAVING: "stopping", SavedMachine.State.RUNNING: "running", SavedMachine.State.FAILED: "failed"}


def rows(user: Any, lesson: Lesson | None = None) -> list[dict[str, Any]]:
    """The user's saved machines, or those of one lesson, for pages and scripts."""
    mine = list(saving.of(user) if lesson is None else saving.of(user).filter(label=lesson.path))
    one_of_each = {machine.label: machine for machine in mine}
    lessons = {label: lesson or lesson_of(user, machine) for label, machine in one_of_each.items()}
    return [row(machine, lessons[machine.label]) for machine in mine]


def row(machine: SavedMachine, lesson: Lesson | None) -> dict[str, Any]:
    """One of them; `lesson` is where it is used."""
    why_not = saving.why_not(machine)
    if lesson is None and not why_not:
        why_not = _("Its lesson is not there any more, and a machine is used on its lesson's page. Tell your instructor.")
    return {
        "id": str(machine.id),
        "name": machine.name,
        "state": machine.state,
        "word": _(WORDS[SavedMachine.State(machine.state)]),
        "dot": DOTS.get(SavedMachine.State(machine.state), ""),
        "reason": machine.reason,
        "why_not": why_not,
        "size": format_size(machine.size),
        "saved_at": machine.saved_at,
        "expires_at": machine.expires_at,
        "image": machine.image,
        "digest": machine.image_digest[:12],
        "node": machine.node.name,
        "lesson_title": lesson.title if lesson else machine.label,
        "lesson_url": lesson.get_absolute_url() if lesson else "",
    }


def room(user: Any) -> dict[str, Any]:
    """What the saved machines take of what they may."""
    limit = quotas.effective(user)["saved_disk"].value
    return {"used": format_size(saving.used(user)), "limit": None if limit is None else format_size(int(limit))}


def lesson_of(user: Any, machine: SavedMachine) -> Lesson | None:
    """Where it is used; None where the user has no such page any more."""
    parts = machine.label.split("/")
    if len(parts) != 3:
        return None
    try:
        return courses.find_lesson(user, *parts)
    except Http404:
        return None


def find(user: Any, saved_id: uuid.UUID) -> SavedMachine:
    """Raises NotFound, also for somebody else's: who asks need not learn that it exists."""
    machine: SavedMachine | None = saving.of(user).filter(pk=saved_id).first()
    if machine is None:
        raise NotFound(_("This saved machine is not there any more, or it is not yours."))
    return machine


def resume(user: Any, saved_id: uuid.UUID) -> LabSession:
    """A lab of its lesson, with the saved machine. Raises a child of Refused."""
    machine = find(user, saved_id)
    lesson = lesson_of(user, machine)
    if lesson is None:
        raise BadRequest(_("Its lesson is not there any more, and a machine is used on its lesson's page. Tell your instructor."))
    with audit.refusals(user, lesson.path):
        session = _resume(user, machine, lesson)
    return labs.find_lab(user, session.pk)


@transaction.atomic
def _resume(user: Any, machine: SavedMachine, lesson: Lesson) -> LabSession:
    get_user_model().objects.select_for_update().get(pk=user.pk)
    if labs.running_lab(user, lesson):
        raise Busy(_("A machine of this lesson runs already. Stop or save that one, then resume this one."))
    labs.refuse_too_many(user)
    session = LabSession.objects.create(user=user, lesson=lesson)
    session.sandboxes.add(saving.resume(machine, user))
    return session
