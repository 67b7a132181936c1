"""`GET /metrics`: the site's figures for Prometheus, read from the database and the cache when they are asked for."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from math import isfinite

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Count, F
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from engine import starts, usage
from engine.decorators import may
from engine.gateway import traffic
from engine.models import Node, Sandbox, Terminal
from engine.views_health import RIGHT

RECENT = timedelta(minutes=10)
QUANTILES = (0.5, 0.95)


class Site(Collector):
    """The whole site: the same from every web process."""

    def collect(self) -> Iterator[Metric]:
        yield from _sandboxes()
        yield from _starts()
        yield from _nodes()


def _sandboxes() -> Iterator[Metric]:
    live = Sandbox.objects.filter(state__in=Sandbox.LIVE).order_by()
    made = GaugeMetricFamily("playground_sandboxes", "Sandboxes that are not over.", labels=["state", "image", "node"])
    for row in live.values("state", "image", name=F("node__name")).annotate(times=Count("id")):
        made.add_metric([row["state"], row["image"], row["name"] or ""], row["times"])
    yield made
    yield GaugeMetricFamily("playground_queue_length", "People who wait for a machine.", value=live.filter(state="queued").count())
    opened = Terminal.objects.filter(sandbox__state=Sandbox.State.RUNNING, sandbox__owner__isnull=False).count()
    yield GaugeMetricFamily("playground_terminals", "Terminals of running sandboxes.", value=opened)


def _starts() -> Iterator[Metric]:
    failed = Counter(failure.stage for failure in starts.failures())
    # One that failed later, after its owner had it, did start.
    ran = Sandbox.objects.filter(started_at__isnull=False).exclude(state=Sandbox.State.CREATING).count()
    labels = ["result", "stage"]
    counted = CounterMetricFamily("playground_sandbox_starts", "Sandboxes that reached their owner, or failed to.", labels=labels)
    counted.add_metric(["ok", ""], ran - starts.claimed_and_failed())
    for stage, times in sorted(failed.items()):
        counted.add_metric(["failed", stage], times)
    yield counted
    ends = CounterMetricFamily("playground_sandbox_ends", "Sandboxes that had an owner and ended.", labels=["reason"])
    ended = Sandbox.objects.exclude(end_reason="").exclude(owner=None, started_at=None).order_by()
    for reason, times in ended.values_list("end_reason").annotate(times=Count("id")):
        ends.add_metric([reason], times)
    yield ends
    refused = CounterMetricFamily("playground_refusals", "Requests for a sandbox that were refused.", labels=["code"])
    for code, times in starts.refusals().items():
        refused.add_metric([code], times)
    yield refused
    now = timezone.now()
    taken = starts.durations(now - RECENT, now)
    recent = GaugeMetricFamily("playground_sandbox_start_seconds", "Time to start, over the last ten minutes.", labels=["quantile"])
    for share in QUANTILES:
        value = starts.percentile(taken, share)
        if value is not None:
            recent.add_metric([str(share)], value)
    yield recent


def _nodes() -> Iterator[Metric]:
    now = timezone.now()
    nodes = list(Node.objects.order_by("name"))
    measured = usage.of_nodes(node.name for node in nodes)

    def family(name: str, help_text: str, values: dict[str, float]) -> Metric:
        made = GaugeMetricFamily(f"playground_node_{name}", help_text, labels=["node"])
        for node, value in values.items():
            if isfinite(value):  # a node that has not measured itself yet promises without end
                made.add_metric([node], value)
        return made

    yield family("up", "1 while its worker answers.", {node.name: float(node.alive) for node in nodes})
    yield family("draining", "1 while it takes no new sandboxes.", {node.name: float(node.draining) for node in nodes})
    age = {node.name: (now - node.heartbeat_at).total_seconds() for node in nodes}
    yield family("heartbeat_age_seconds", "Since its worker was heard of last.", age)
    yield family("capacity_sandboxes", "Sandboxes it takes at once.", {node.name: float(node.most_sandboxes) for node in nodes})
    yield family("capacity_memory_bytes", "Memory it may promise.", {node.name: node.most_memory for node in nodes})
    yield family("capacity_cpu_cores", "Cores it may promise.", {node.name: node.most_cpus for node in nodes})
    found = measured.items()
    yield family("memory_bytes", "Memory it has.", {name: float(item.memory_total) for name, item in found})
    yield family("memory_used_bytes", "Memory in use on it.", {name: float(item.memory_used) for name, item in found})
    yield family("disk_free_bytes", "Space left where its sandboxes are.", {name: float(item.disk_free) for name, item in found})
    yield family("load1", "Its load, one-minute mean.", {name: item.load for name, item in found})
    sandboxes = {name: item.sandboxes.values() for name, item in found}
    used = {name: float(sum(item.memory for item in items)) for name, items in sandboxes.items()}
    yield family("sandboxes_memory_used_bytes", "Memory its sandboxes use.", used)
    busy = {name: sum(item.cores or 0.0 for item in items) for name, items in sandboxes.items()}
    yield family("sandboxes_cpu_used_cores", "Cores its sandboxes use.", busy)


REGISTRY = CollectorRegistry()
REGISTRY.register(Site())
REGISTRY.register(traffic.REGISTRY)


def _allowed(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return constant_time_compare(token.strip(), settings.METRICS_TOKEN)
    return may(request.user, RIGHT)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For staff, or with the token. To a stranger who shows neither there is nothing here."""
    if not _allowed(request):
        if request.user.is_authenticated or "Authorization" in request.headers:
            raise PermissionDenied
        raise Http404
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(REGISTRY), content_type=content_type)
