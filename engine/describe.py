"""A sandbox as its owner sees it: the part of the lab's JSON that the engine knows (docs/architecture.md)."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from engine import waiting
from engine.models import Sandbox, SavedMachine, Terminal
from engine.runtime.spec import format_size

ENDS = {
    Sandbox.Reason.IDLE: (
        gettext_noop("Your machine was not in use"),
        gettext_noop("It was idle for {idle} and was shut down to make room for others. Start it again to get a fresh one."),
    ),
    Sandbox.Reason.DEADLINE: (
        gettext_noop("Time is up"),
        gettext_noop("A machine in this lesson runs for {lifetime} at most. Start a fresh one to go on."),
    ),
    Sandbox.Reason.USER: (gettext_noop("You stopped this machine"), gettext_noop("Start it again to get a fresh one.")),
    Sandbox.Reason.ADMIN: (gettext_noop("An admin stopped this machine"), "{detail}"),
    Sandbox.Reason.EVICTED: (
        gettext_noop("Your machine made room for others"),
        gettext_noop("The site ran short of machines. Start it again when you are ready."),
    ),
    Sandbox.Reason.NODE_LOST: (gettext_noop("The host of your machine was lost"), "{detail}"),
    Sandbox.Reason.OUT_OF_MEMORY: (gettext_noop("Your machine ran out of memory"), "{detail}"),
    Sandbox.Reason.QUOTA: (gettext_noop("You have used what you may use"), "{detail}"),
    Sandbox.Reason.FAILED: (gettext_noop("Your machine stopped working"), "{detail}"),
    Sandbox.Reason.SAVED: (gettext_noop("Your machine was saved"), gettext_noop("It has been deleted since. Start a fresh one.")),
}

NO_DETAIL = gettext_noop("No reason was given. Start it again to get a fresh one.")
WITHOUT_DETAIL = {
    Sandbox.Reason.NODE_LOST: gettext_noop(
        "The computer it ran on stopped answering, and what was in the machine is gone. Start a fresh one."
    ),
}


def duration(seconds: float) -> str:
    """`15 minutes`, `2 hours`, `40 seconds`."""
    whole = int(seconds)
    if whole >= 3600 and whole % 3600 == 0:
        return ngettext("%(count)s hour", "%(count)s hours", whole // 3600) % {"count": whole // 3600}
    if whole >= 60 and whole % 60 == 0:
        return ngettext("%(count)s minute", "%(count)s minutes", whole // 60) % {"count": whole // 60}
    return ngettext("%(count)s second", "%(count)s seconds", whole) % {"count": whole}


def warning_lead(sandbox: Sandbox, limit_seconds: int) -> timedelta:
    """How long before an end its owner is warned: two minutes, or a third of the whole where that is less."""
    return timedelta(seconds=min(120.0, limit_seconds / 3))


def pending_end(sandbox: Sandbox) -> str:
    """`idle` or `deadline` when that end is so near that its owner is warned; else the empty string."""
    if sandbox.state != Sandbox.State.RUNNING:
        return ""
    now = timezone.now()
    if now >= sandbox.deadline_at - warning_lead(sandbox, sandbox.lifetime_seconds):
        return "deadline"
    if now >= sandbox.idle_ends_at - warning_lead(sandbox, sandbox.idle_seconds):
        return "idle"
    return ""


def _warning(sandbox: Sandbox) -> dict[str, Any] | None:
    match pending_end(sandbox):
        case "deadline":
            return {
                "reason": "deadline",
                "ends_at": sandbox.deadline_at.isoformat(),
                "text": _("This machine's time is nearly up. Copy what you want to keep."),
            }
        case "idle":
            return {
                "reason": "idle",
                "ends_at": sandbox.idle_ends_at.isoformat(),
                "text": _("This machine is idle and will be shut down."),
            }
    return None


def _end(sandbox: Sandbox) -> dict[str, Any] | None:
    if not sandbox.end_reason:
        return None
    title, text = ENDS[Sandbox.Reason(sandbox.end_reason)]
    if sandbox.end_reason == Sandbox.Reason.FAILED and sandbox.started_at is None:
        title = gettext_noop("Your machine could not start")
    words = _(text).format(
        idle=duration(sandbox.idle_seconds),
        lifetime=duration(sandbox.lifetime_seconds),
        detail=sandbox.end_detail or _(WITHOUT_DETAIL.get(Sandbox.Reason(sandbox.end_reason), NO_DETAIL)),
    )
    return {"reason": sandbox.end_reason, "title": _(title), "text": words, "can_restart": True}


def _end_of_wait(sandbox: Sandbox) -> dict[str, Any] | None:
    """The end of one that never got a machine: it left the line, and nothing was lost."""
    if not sandbox.end_reason or sandbox.node_id is not None:
        return None
    title, text = {
        Sandbox.Reason.USER: (_("You left the line"), _("Join it again when you want a machine.")),
        Sandbox.Reason.IDLE: (
            _("You lost your place in the line"),
            _("This page was closed for two minutes. Keep it open while you wait."),
        ),
    }.get(Sandbox.Reason(sandbox.end_reason), (_("You are not in the line any more"), sandbox.end_detail or _("Join it again.")))
    return {"reason": sandbox.end_reason, "title": title, "text": text, "can_restart": True}


def _end_of_kept(sandbox: Sandbox, kept: SavedMachine | None) -> dict[str, Any] | None:
    """The end of one whose disk is kept: nothing is lost, whatever ended it."""
    if kept is None or not sandbox.end_reason:
        return None
    end = {"reason": sandbox.end_reason, "can_restart": True}
    if kept.state == SavedMachine.State.FAILED:
        unstarted = sandbox.end_reason == Sandbox.Reason.FAILED
        title = _("Your saved machine did not start") if unstarted else _("Your machine could not be saved")
        return end | {"title": title, "text": f"{kept.reason} {_('It is under Saved machines on your home page.')}"}
    if kept.state == SavedMachine.State.SAVING:
        text = _("Its files are being kept as “%(name)s”. This takes a moment.") % {"name": kept.name}
        return end | {"title": _("Your machine is being saved"), "text": text}
    if kept.expires_at:
        text = _("Its files are kept as “%(name)s”, until %(date)s. Resume it here, or from your home page, when you want to go on.")
        text %= {"name": kept.name, "date": date_format(kept.expires_at, "j F Y")}
    else:
        text = _("Its files are kept as “%(name)s”. Resume it here, or from your home page, when you want to go on.") % {"name": kept.name}
    if sandbox.end_reason == Sandbox.Reason.SAVED:
        return end | {"title": _("Your machine is saved"), "text": text}
    first = _end(sandbox)
    detail = f"{sandbox.end_detail} " if sandbox.end_detail else ""
    return end | {"title": first["title"] if first else _("Your machine has ended"), "text": detail + text}


def _kept(kept: SavedMachine | None) -> dict[str, Any] | None:
    """What its page says of the saved machine it is, or becomes."""
    return {"id": str(kept.id), "name": kept.name, "state": kept.state, "resumable": kept.resumable} if kept else None


def _end_by_quota(sandbox: Sandbox) -> dict[str, Any] | None:
    """The end of one that a quota gave less time than its lesson asks for."""
    asked = sandbox.asked.get("lifetime_seconds", 0)
    if sandbox.end_reason != Sandbox.Reason.DEADLINE or asked <= sandbox.lifetime_seconds:
        return None
    text = _(
        "Your quota gave this machine %(given)s; the lesson asks for %(asked)s. "
        "Start a fresh one as far as your time goes, or ask your instructor for more."
    ) % {"given": about(sandbox.lifetime_seconds), "asked": about(asked)}
    return {"reason": sandbox.end_reason, "title": _("Your time is up"), "text": text, "can_restart": True}


def about(seconds: int) -> str:
    """A time as people say it: in whole minutes where it is longer than two."""
    return duration(seconds if seconds < 120 else seconds // 60 * 60)


def _steps(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Each step with how long it took; the last one is still being done while the machine is being made."""
    steps = []
    for index, step in enumerate(sandbox.steps):
        last = index == len(sandbox.steps) - 1
        doing = last and sandbox.state == Sandbox.State.CREATING
        until = None if last else sandbox.steps[index + 1]["at"]
        steps.append(
            {
                "name": step["name"],
                "label": step["label"],
                "state": "doing" if doing else "done",
                "ms": None if until is None else round((until - step["at"]) * 1000),
            }
        )
    return steps


def describe(sandbox: Sandbox) -> dict[str, Any]:
    """state, steps, terminals, ports, times, warning and end of a sandbox."""
    running = sandbox.state == Sandbox.State.RUNNING
    waits = sandbox.state == Sandbox.State.QUEUED
    preview = getattr(sandbox, "preview", None) if running else None
    kept: SavedMachine | None = getattr(sandbox, "saved_as", None)
    if kept and kept.state == SavedMachine.State.DELETING:
        kept = None
    return {
        "state": sandbox.state,
        "image": sandbox.image,
        "memory": format_size(sandbox.memory),
        "disk": format_size(sandbox.disk),
        "steps": _steps(sandbox),
        "terminals": [
            {
                "id": str(item.id),
                "number": item.number,
                "title": item.title or _("Terminal %(number)s") % {"number": item.number},
                "shell": item.shell,
                "path": f"/ws/terminals/{item.id}",
            }
            for item in (sandbox.terminals.all() if running else ())
            if item.state != Terminal.State.CLOSING
        ],
        "started_at": sandbox.started_at.isoformat() if sandbox.started_at else None,
        "queue": waiting.place_of(sandbox),
        "deadline_at": None if waits else sandbox.deadline_at.isoformat(),
        "idle_ends_at": None if waits else sandbox.idle_ends_at.isoformat(),
        "idle_seconds": sandbox.idle_seconds,
        "warning": _warning(sandbox),
        "ports": preview.ports if preview else [],
        "ports_path": preview.path if preview and settings.PREVIEWS else None,
        "notices": sandbox.notices if running else [],
        "saved": _kept(kept),
        "end": _end_of_wait(sandbox) or _end_of_kept(sandbox, kept) or _end_by_quota(sandbox) or _end(sandbox),
    }
