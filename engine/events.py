"""Telling the pages that a sandbox changed: one event, no content; who hears it reads the row again."""

import redis
import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from engine.models import Sandbox

log = structlog.get_logger(__name__)


def group(sandbox: Sandbox) -> str:
    """The Channels group that hears of this sandbox."""
    return f"sandbox.{sandbox.id.hex}"


def announce(sandbox: Sandbox) -> None:
    """Send `sandbox.changed` to the group. Without Redis nobody hears: the row is what counts, and a page that reconnects reads it."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group(sandbox), {"type": "sandbox.changed"})
    except (redis.RedisError, OSError) as error:
        log.warning("event.not_sent", sandbox=sandbox.id.hex, error=str(error))
