"""What went through the terminals of this web process, counted since it started. With several web processes, each has its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # their times would double the number of series
REGISTRY = CollectorRegistry()
BYTES = Counter(
    "playground_terminal_bytes",
    "Terminal bytes through this web process; out: to browsers, in: typed.",
    ["direction"],
    registry=REGISTRY,
)
OUT, IN = BYTES.labels("out"), BYTES.labels("in")
CONNECTIONS = Gauge("playground_terminal_connections", "Browsers at a terminal through this web process now.", registry=REGISTRY)
