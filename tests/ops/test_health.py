"""`GET /healthz`."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from engine.models import HEARTBEAT_LOST, Node

pytestmark = pytest.mark.django_db


def test_it_works(client: Client) -> None:
    Node.objects.create(name="here")
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "redis": "ok", "engine": "ok"}
    assert "no-store" in response["Cache-Control"]


def test_a_node_that_went_silent_is_down(client: Client) -> None:
    Node.objects.create(name="gone", heartbeat_at=timezone.now() - HEARTBEAT_LOST - timedelta(seconds=1))
    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.json() == {"status": "down", "database": "ok", "redis": "ok", "engine": "down"}


@pytest.mark.parametrize("url", ["unix:///nonexistent/redis.sock", "redis://127.0.0.1:1/0"])
def test_without_redis_it_answers_at_once(client: Client, settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    Node.objects.create(name="here")
    begun = time.monotonic()
    response = client.get("/healthz")
    assert time.monotonic() - begun < 2
    assert response.status_code == 503
    assert response.json()["redis"] == "down"
    assert "nonexistent" not in response.content.decode()


def test_it_only_allows_reading(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
