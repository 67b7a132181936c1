"""How sandboxes started: how many, how fast, and why some did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.db.models import Count, F

from engine.models import AuditEntry, Sandbox

LONGEST_START = timedelta(minutes=10)  # making and setting one up is given up long before
NOT_BEGUN = "queue"


@dataclass(frozen=True)
class Failure:
    """A start that failed. `stage`: the step it failed in; `queue` when no worker took it up."""

    sandbox: Sandbox
    stage: str
    at: datetime
    reason: str


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that `share` of the values do not exceed (nearest rank); None of none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _never_ran(started_at: datetime | None, steps: list[dict[str, Any]]) -> bool:
    """Whether a failed one failed before its owner had it. A claimed warm one has a start from before its set-up's steps."""
    return started_at is None or bool(steps and started_at.timestamp() < steps[-1]["at"])


def durations(since: datetime, until: datetime) -> list[float]:
    """Seconds from being asked for (or leaving the line) to being its owner's, of every start that ended in the interval."""
    rows = Sandbox.objects.filter(started_at__gte=since, started_at__lt=until).exclude(state=Sandbox.State.CREATING)
    started = {
        str(sandbox_id): at
        for sandbox_id, at, steps, reason in rows.values_list("id", "started_at", "steps", "end_reason")
        if at is not None and not (reason == Sandbox.Reason.FAILED and _never_ran(at, steps))
    }
    entries = AuditEntry.objects.filter(action="sandbox.start", at__gte=since - LONGEST_START, at__lt=until + timedelta(seconds=1))
    asked = dict(entries.order_by("id").values_list("subject", "at"))
    # A warm one is claimed first and noted after: then the difference is what the claim took.
    return [abs((at - asked[sandbox_id]).total_seconds()) for sandbox_id, at in started.items() if sandbox_id in asked]


def claimed_and_failed() -> int:
    """How many warm ones were claimed and failed in their set-up: they have a start, and never ran."""
    rows = Sandbox.objects.filter(end_reason=Sandbox.Reason.FAILED, started_at__isnull=False).values_list("started_at", "steps")
    return sum(_never_ran(at, steps) for at, steps in rows)


def failures(since: datetime | None = None, until: datetime | None = None) -> list[Failure]:
    """Failed starts, the newest first; those of the warm pool too."""
    rows = Sandbox.objects.filter(end_reason=Sandbox.Reason.FAILED).select_related("owner", "node").defer("files", "setup")
    if since is not None:
        rows = rows.filter(ended_at__gte=since)
    if until is not None:
        rows = rows.filter(ended_at__lt=until)
    found = []
    for row in rows.order_by("-ended_at"):
        if _never_ran(row.started_at, row.steps):
            stage = row.steps[-1]["name"] if row.steps else NOT_BEGUN
            found.append(Failure(row, stage, row.ended_at or row.created_at, row.end_detail))
    return found


def refusals(since: datetime | None = None, until: datetime | None = None) -> dict[str, int]:
    """Refused requests by code, the most frequent first."""
    entries = AuditEntry.objects.filter(action="sandbox.refused")
    if since is not None:
        entries = entries.filter(at__gte=since)
    if until is not None:
        entries = entries.filter(at__lt=until)
    counted = entries.order_by().values(code=F("detail__code")).annotate(times=Count("id")).order_by("-times", "code")
    return {row["code"] or "unknown": row["times"] for row in counted}
