"""A sandbox as its owner sees it: the part of the lab's JSON that the engine knows (docs/architecture.md)."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from engine import waiting
from engine.models import Sandbox
from engine.runtime.spec import format_size

ENDS = {
    Sandbox.Reason.IDLE: (
        "Your machine was not in use",
        "It was idle for {idle} and was shut down to make room for others. Start it again to get a fresh one.",
    ),
    Sandbox.Reason.DEADLINE: (
        "Time is up",
        "A machine in this lesson runs for {lifetime} at most. Start a fresh one to go on.",
    ),
    Sandbox.Reason.USER: ("You stopped this machine", "Start it again to get a fresh one."),
    Sandbox.Reason.ADMIN: ("An admin stopped this machine", "{detail}"),
    Sandbox.Reason.EVICTED: ("Your machine made room for others", "The site ran short of machines. Start it again when you are ready."),
    Sandbox.Reason.NODE_LOST: ("The host of your machine was lost", "{detail}"),
    Sandbox.Reason.OUT_OF_MEMORY: ("Your machine ran out of memory", "{detail}"),
    Sandbox.Reason.QUOTA: ("You have used what you may use", "{detail}"),
    Sandbox.Reason.FAILED: ("Your machine stopped working", "{detail}"),
}

NO_DETAIL = "No reason was given. Start it again to get a fresh one."
WITHOUT_DETAIL = {
    Sandbox.Reason.NODE_LOST: "The computer it ran on stopped answering, and what was in the machine is gone. Start a fresh one.",
}


def duration(seconds: float) -> str:
    """`15 minutes`, `2 hours`, `40 seconds`."""
    for size, unit in ((3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}" + ("s" if count != 1 else "")
    return f"{int(seconds)} seconds"


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
                "text": "This machine's time is nearly up. Copy what you want to keep.",
            }
        case "idle":
            return {
                "reason": "idle",
                "ends_at": sandbox.idle_ends_at.isoformat(),
                "text": "This machine is idle and will be shut down.",
            }
    return None


def _end(sandbox: Sandbox) -> dict[str, Any] | None:
    if not sandbox.end_reason:
        return None
    title, text = ENDS[Sandbox.Reason(sandbox.end_reason)]
    if sandbox.end_reason == Sandbox.Reason.FAILED and sandbox.started_at is None:
        title = "Your machine could not start"
    words = text.format(
        idle=duration(sandbox.idle_seconds),
        lifetime=duration(sandbox.lifetime_seconds),
        detail=sandbox.end_detail or WITHOUT_DETAIL.get(Sandbox.Reason(sandbox.end_reason), NO_DETAIL),
    )
    return {"reason": sandbox.end_reason, "title": title, "text": words, "can_restart": True}


def _end_of_wait(sandbox: Sandbox) -> dict[str, Any] | None:
    """The end of one that never got a machine: it left the line, and nothing was lost."""
    if not sandbox.end_reason or sandbox.node_id is not None:
        return None
    title, text = {
        Sandbox.Reason.USER: ("You left the line", "Join it again when you want a machine."),
        Sandbox.Reason.IDLE: ("You lost your place in the line", "This page was closed for two minutes. Keep it open while you wait."),
    }.get(Sandbox.Reason(sandbox.end_reason), ("You are not in the line any more", sandbox.end_detail or "Join it again."))
    return {"reason": sandbox.end_reason, "title": title, "text": text, "can_restart": True}


def _end_by_quota(sandbox: Sandbox) -> dict[str, Any] | None:
    """The end of one that a quota gave less time than its lesson asks for."""
    asked = sandbox.asked.get("lifetime_seconds", 0)
    if sandbox.end_reason != Sandbox.Reason.DEADLINE or asked <= sandbox.lifetime_seconds:
        return None
    text = (
        f"Your quota gave this machine {_about(sandbox.lifetime_seconds)}; the lesson asks for {_about(asked)}. "
        "Start a fresh one as far as your time goes, or ask your instructor for more."
    )
    return {"reason": sandbox.end_reason, "title": "Your time is up", "text": text, "can_restart": True}


def _about(seconds: int) -> str:
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
    """state, steps, terminals, times, warning and end of a sandbox."""
    running = sandbox.state == Sandbox.State.RUNNING
    waits = sandbox.state == Sandbox.State.QUEUED
    return {
        "state": sandbox.state,
        "image": sandbox.image,
        "memory": format_size(sandbox.memory),
        "disk": format_size(sandbox.disk),
        "steps": _steps(sandbox),
        "terminals": [
            {"id": str(item.id), "number": item.number, "title": str(item), "path": f"/ws/terminals/{item.id}"}
            for item in (sandbox.terminals.all() if running else ())
        ],
        "started_at": sandbox.started_at.isoformat() if sandbox.started_at else None,
        "queue": waiting.place_of(sandbox),
        "deadline_at": None if waits else sandbox.deadline_at.isoformat(),
        "idle_ends_at": None if waits else sandbox.idle_ends_at.isoformat(),
        "idle_seconds": sandbox.idle_seconds,
        "warning": _warning(sandbox),
        "notices": sandbox.notices if running else [],
        "end": _end_of_wait(sandbox) or _end_by_quota(sandbox) or _end(sandbox),
    }
