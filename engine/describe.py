"""A sandbox as its owner sees it: the part of the lab's JSON that the engine knows (docs/architecture.md)."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

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
    Sandbox.Reason.NODE_LOST: (
        "The host of your machine was lost",
        "The computer it ran on stopped answering, and what was in the machine is gone. Start a fresh one.",
    ),
    Sandbox.Reason.FAILED: ("Your machine stopped working", "{detail}"),
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
        detail=sandbox.end_detail or "No reason was given. Start it again to get a fresh one.",
    )
    return {"reason": sandbox.end_reason, "title": title, "text": words, "can_restart": True}


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
        "deadline_at": sandbox.deadline_at.isoformat(),
        "idle_ends_at": sandbox.idle_ends_at.isoformat(),
        "idle_seconds": sandbox.idle_seconds,
        "warning": _warning(sandbox),
        "end": _end(sandbox),
    }
