"""Telling the pages that a sandbox changed: one event, no content; who hears it reads the row again."""

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from engine.models import Sandbox


def group(sandbox: Sandbox) -> str:
    """The Channels group that hears of this sandbox."""
    return f"sandbox.{sandbox.id.hex}"


def announce(sandbox: Sandbox) -> None:
    """Send `sandbox.changed` to the group. Raises redis.ConnectionError when Redis is down."""
    layer = get_channel_layer()
    if layer is not None:
        async_to_sync(layer.group_send)(group(sandbox), {"type": "sandbox.changed"})
