"""/metrics: who may read it, and that its figures are those of the database and the cache."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from engine import audit
from engine.gateway import traffic
from engine.models import Terminal
from tests.engine import paper
from tests.engine.test_health_page import begun, failed
from tests.engine.test_machines_page import leave_figures

pytestmark = pytest.mark.django_db
TOKEN = "a token of the tests"


@pytest.fixture(autouse=True)
def _token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    cache.clear()


def scrape(client: Client, token: str = TOKEN) -> dict[tuple[str, ...], float]:
    """Every sample as (name, label=value, ...) -> figure, read by Prometheus's own parser."""
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_it_works(client: Client, ada: User) -> None:
    node = paper.node("lab-1")
    leave_figures("lab-1")
    machine = begun(ada, node, 0.2)
    Terminal.objects.create(sandbox=machine, number=1)
    paper.sandbox(None, node, state="ready")
    paper.sandbox(ada, None, state="queued", queued_at=timezone.now())
    failed(ada, node, "disk")
    audit.record(ada, "sandbox.refused", "x", code="over-quota", title="-", text="-")
    found = scrape(client)
    assert found["playground_sandboxes", "image=linux", "node=lab-1", "state=running"] == 1
    assert found["playground_sandboxes", "image=linux", "node=lab-1", "state=ready"] == 1
    assert found["playground_sandboxes", "image=linux", "node=", "state=queued"] == 1
    assert found["playground_sandbox_starts_total", "result=ok", "stage="] == 1
    assert found["playground_sandbox_starts_total", "result=failed", "stage=disk"] == 1
    assert found["playground_sandbox_start_seconds", "quantile=0.5"] == pytest.approx(0.2, abs=0.01)
    assert found["playground_sandbox_ends_total", "reason=failed"] == 1
    assert found["playground_refusals_total", "code=over-quota"] == 1
    assert (found["playground_queue_length",], found["playground_terminals",]) == (1, 1)
    assert found["playground_node_up", "node=lab-1"] == 1
    assert found["playground_node_capacity_sandboxes", "node=lab-1"] == 8
    assert found["playground_node_memory_bytes", "node=lab-1"] == 4 << 30
    assert found["playground_node_disk_free_bytes", "node=lab-1"] == 50 << 30


def test_a_node_that_has_not_measured_itself_has_no_capacity_yet(client: Client) -> None:
    paper.node("lab-1", memory=0, cpus=0)
    found = scrape(client)
    assert ("playground_node_capacity_memory_bytes", "node=lab-1") not in found
    assert found["playground_node_capacity_sandboxes", "node=lab-1"] == 8


def test_terminal_bytes_are_this_process_s(client: Client) -> None:
    before = scrape(client)["playground_terminal_bytes_total", "direction=out"]
    traffic.OUT.inc(100)
    assert scrape(client)["playground_terminal_bytes_total", "direction=out"] == before + 100


def test_staff_reads_it_with_their_session(admin_client: Client) -> None:
    answer = admin_client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_prometheus_may_ask_for_openmetrics(client: Client) -> None:
    asked = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/openmetrics-text; version=1.0.0"}
    answer = client.get("/metrics", headers=asked)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")


def test_nobody_else_does(client: Client, ada: User, settings: Any) -> None:
    assert client.get("/metrics").status_code == 404
    for wrong in ("Bearer wrong", "Bearer ", f"Basic {TOKEN}"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 403
    settings.METRICS_TOKEN = ""
    for wrong in ("Bearer ", "Bearer", f"Bearer {TOKEN}"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 403
    client.force_login(ada)
    assert client.get("/metrics").status_code == 403
