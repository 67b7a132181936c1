"""The page Site health: is it well, what is it doing, and how was it over the last hour, day or week."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Max, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from engine import sampling, starts, usage
from engine.decorators import for_staff
from engine.health import states
from engine.models import AuditEntry, Node, Sandbox
from engine.runtime.spec import GIB, format_size
from engine.views_machines import Bar

RIGHT = "engine.view_healthsample"
SHOWN = 20
LITTLE_DISK = 5 * GIB
DOWN = {
    "database": "The database does not answer.",
    "redis": "Redis does not answer: no machine starts, and there are no live figures.",
    "engine": "No engine worker answers: no machine can start or end. Look at its log (playground-engine).",
}


@dataclass(frozen=True)
class NodeState:
    node: Node
    word: str  # a state as the style sheet knows it
    title: str
    bars: list[Bar]


def _node(node: Node, held: int, now: usage.NodeUsage | None) -> NodeState:
    word, title = ("running", "Answers") if node.alive else ("failed", "Silent")
    if node.alive and node.draining:
        word, title = "stopping", "Draining"
    bars = [Bar("Machines", held, node.most_sandboxes, f"{held} of {node.most_sandboxes}")]
    if now:
        used = now.disk_total - now.disk_free
        bars += [
            Bar("Memory", now.memory_used, now.memory_total, f"{format_size(now.memory_used)} of {format_size(now.memory_total)}"),
            Bar("Load", min(now.load, now.cores), now.cores, f"{now.load:.2f} on {now.cores:g} core" + ("" if now.cores == 1 else "s")),
            Bar("Disk", used, now.disk_total, f"{format_size(used)} of {format_size(now.disk_total)}"),
        ]
    return NodeState(node, word, title, bars)


def _troubles(nodes: Sequence[Node], measured: dict[str, usage.NodeUsage], waiting: int) -> list[str]:
    """What is not well, in sentences that say what it means."""
    found = [DOWN[name] for name, word in states().items() if word != "ok"]
    for node in nodes:
        if not node.alive:
            found.append(f"Node {node.name} does not answer. Five minutes after its last sign of life, its machines are given up.")
        now = measured.get(node.name)
        if now and now.disk_free < LITTLE_DISK:
            found.append(f"Node {node.name} has {format_size(now.disk_free)} of disk left. Without space no machine starts.")
    if waiting:
        found.append(f"{waiting} {'person waits' if waiting == 1 else 'people wait'} for a machine: every node is full or takes none.")
    return found


def _refused(since: datetime) -> list[Any]:
    entries = AuditEntry.objects.filter(action="sandbox.refused", at__gte=since)
    grouped = entries.order_by().values(code=F("detail__code"), title=F("detail__title"))
    return list(grouped.annotate(times=Count("id"), last=Max("at")).order_by("-times", "code"))


def _now(name: str) -> dict[str, Any]:
    """Everything of the page but the pictures."""
    now = timezone.now()
    since = now - sampling.RANGES[name].length
    learners = Q(sandboxes__state__in=Sandbox.LIVE, sandboxes__owner__isnull=False)
    nodes = list(Node.objects.annotate(held=Count("sandboxes", filter=learners)).order_by("name"))
    measured = usage.of_nodes(node.name for node in nodes)
    live = Sandbox.objects.filter(state__in=Sandbox.LIVE).order_by()
    counts = dict(live.values_list("state").annotate(times=Count("id")))
    taken, failed, refused = starts.durations(since, now), starts.failures(since, now), _refused(since)
    waiting = counts.get(Sandbox.State.QUEUED, 0)
    return {
        "troubles": _troubles(nodes, measured, waiting),
        "running": counts.get(Sandbox.State.RUNNING, 0),
        "warm": counts.get(Sandbox.State.READY, 0),
        "waiting": waiting,
        "started": len(taken),
        "median": _duration(starts.percentile(taken, 0.5)),
        "slow": _duration(starts.percentile(taken, 0.95)),
        "nodes": [_node(node, node.held, measured.get(node.name)) for node in nodes],
        "failed": len(failed),
        "failures": failed[:SHOWN],
        "refused": sum(item["times"] for item in refused),
        "refusals": refused,
    }


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "none yet"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _chosen(request: HttpRequest) -> str:
    wish = request.GET.get("range", "hour")
    return wish if wish in sampling.RANGES else "hour"


@require_GET
@for_staff(RIGHT)
def health(request: HttpRequest) -> HttpResponse:
    """The whole page, or with `?part=now` what the page's script puts in place of the figures it has."""
    name = _chosen(request)
    ranges = [(key, item.title, key == name) for key, item in sampling.RANGES.items()]
    context = _now(name) | {"range": name, "range_title": sampling.RANGES[name].title.lower(), "ranges": ranges}
    return render(request, "engine/_health_now.html" if request.GET.get("part") == "now" else "engine/health.html", context)


@require_GET
@for_staff(RIGHT)
def samples(request: HttpRequest) -> JsonResponse:
    """The history as columns, for the pictures."""
    return JsonResponse(sampling.history(_chosen(request), timezone.now()))
