"""Writing the site's history, one row a minute, and reading it back in steps that fit a picture."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import Any, NamedTuple

from django.utils import timezone

from engine import clock, starts, usage
from engine.health_models import HealthSample
from engine.models import HEARTBEAT_LOST, Node, Sandbox

# A little less than a minute, because ticks come every five seconds: so each minute has its sample.
EVERY = 55.0
KEPT = timedelta(days=8)


class Range(NamedTuple):
    """A stretch of history: how long, and seconds per point."""

    title: str
    length: timedelta
    step: int


RANGES = {
    "hour": Range("Last hour", timedelta(hours=1), 60),
    "day": Range("Last day", timedelta(days=1), 300),
    "week": Range("Last week", timedelta(days=7), 1800),
}


def sample_if_due() -> None:
    """Beat's tick calls it: one row a minute for the whole site."""
    if clock.due("health-sample", EVERY):
        sample(timezone.now())


def sample(now: datetime) -> HealthSample:
    """Write the row of this moment and forget what is too old."""
    last = HealthSample.objects.filter(at__lt=now).order_by("-at").values_list("at", flat=True).first()
    # After a standstill the first sample is about the last minute, not about the whole gap.
    since = max(last or now, now - timedelta(seconds=2 * EVERY)) if last else now - timedelta(seconds=EVERY)
    taken = starts.durations(since, now)
    alive = list(Node.objects.filter(heartbeat_at__gt=now - HEARTBEAT_LOST))
    nodes = usage.of_nodes(node.name for node in alive).values()
    states = Sandbox.objects.filter(state__in=Sandbox.LIVE).order_by().values_list("state", flat=True)
    count = list(states).count
    row = HealthSample.objects.create(
        at=now,
        running=count(Sandbox.State.RUNNING),
        warm=count(Sandbox.State.READY),
        queued=count(Sandbox.State.QUEUED),
        memory_used=sum(node.memory_used for node in nodes),
        memory_total=sum(node.memory_total for node in nodes),
        load=sum(node.load for node in nodes),
        cores=sum(node.cores for node in nodes),
        started=len(taken),
        failed=len(starts.failures(since, now)),
        refused=sum(starts.refusals(since, now).values()),
        start_p50_ms=_ms(starts.percentile(taken, 0.5)),
        start_p95_ms=_ms(starts.percentile(taken, 0.95)),
    )
    HealthSample.objects.filter(at__lt=now - KEPT).delete()
    return row


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


# How the minutes of one step become one point. A line shows what was, a queue its longest, a start time its slowest minute.
POINTS: dict[str, Callable[[Sequence[float]], float]] = {
    "running": fmean,
    "warm": fmean,
    "queued": max,
    "memory_used": fmean,
    "memory_total": fmean,
    "load": fmean,
    "cores": fmean,
    "started": sum,
    "failed": sum,
    "refused": sum,
    "start_p50_ms": median,
    "start_p95_ms": max,
}
# Nothing of these is known when no node had left figures (engine.usage): then they are 0 in the row, and no point in the picture.
OF_NODES = ("memory_used", "memory_total", "load", "cores")


def history(name: str, now: datetime) -> dict[str, Any]:
    """Columns of equal length, `at` in seconds since the epoch; None where nothing was sampled."""
    chosen = RANGES[name]
    last = int(now.timestamp()) // chosen.step
    steps = range(last - int(chosen.length.total_seconds()) // chosen.step + 1, last + 1)
    found: dict[int, list[HealthSample]] = {step: [] for step in steps}
    for row in HealthSample.objects.filter(at__gte=datetime.fromtimestamp(steps.start * chosen.step, now.tzinfo), at__lte=now):
        found[int(row.at.timestamp()) // chosen.step].append(row)
    columns: dict[str, Any] = {"range": name, "step": chosen.step, "at": [step * chosen.step for step in steps]}
    for column, point in POINTS.items():
        columns[column] = [_point(point, [_value(row, column) for row in found[step]]) for step in steps]
    return columns


def _value(row: HealthSample, column: str) -> float | None:
    value: float | None = getattr(row, column)
    return None if column in OF_NODES and not row.memory_total else value


def _point(point: Callable[[Sequence[float]], float], values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(point(known), 3) if known else None
