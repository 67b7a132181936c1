"""`GET /healthz`: whether the site can do its job, for supervisors, load balancers and monitoring. Says no more than that."""

from collections.abc import Callable

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from engine.models import HEARTBEAT_LOST, Node

PATIENCE = 1.0  # seconds; a health check that hangs is no answer
log = structlog.get_logger(__name__)


def database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def broker() -> bool:
    with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as client:
        return bool(client.ping())


def engine() -> bool:
    """Whether at least one engine worker's heartbeat is fresh: labs can start somewhere."""
    return Node.objects.filter(heartbeat_at__gt=timezone.now() - HEARTBEAT_LOST).exists()


PARTS: dict[str, Callable[[], bool]] = {"database": database, "redis": broker, "engine": engine}


def _asked(name: str, part: Callable[[], bool]) -> str:
    try:
        return "ok" if part() else "down"
    except (DatabaseError, redis.RedisError, OSError) as error:
        log.warning("health check failed", part=name, error=str(error))
        return "down"


def states() -> dict[str, str]:
    """`ok` or `down` for each part."""
    return {name: _asked(name, part) for name, part in PARTS.items()}


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    parts = states()
    well = all(word == "ok" for word in parts.values())
    return JsonResponse({"status": "ok" if well else "down", **parts}, status=200 if well else 503)
