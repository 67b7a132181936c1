"""The warm pool: sandboxes made ahead, so that a click finds one ready."""

from typing import Any

from django.conf import settings

from engine.lifecycle import SandboxRequest, resolve
from engine.models import Node, Sandbox

TERMINALS = 1


def wanted(node: Node) -> list[tuple[dict[str, Any], int]]:
    """Columns and terminals of each warm sandbox to be made on `node` now. A draining node warms nothing."""
    if node.draining:
        return []
    missing: list[tuple[dict[str, Any], int]] = []
    room = node.max_sandboxes - Sandbox.objects.filter(node=node, state__in=Sandbox.LIVE).count()
    for image, size in settings.WARM_POOL.items():
        if image not in node.images:
            continue
        columns = resolve(SandboxRequest(image=image), [node])
        columns.pop("label")
        warm = Sandbox.objects.filter(
            node=node,
            owner=None,
            image=image,
            image_digest=columns["image_digest"],
            state__in=(Sandbox.State.CREATING, Sandbox.State.READY),
        ).count()
        missing += [(columns, TERMINALS)] * max(0, size - warm)
    return missing[: max(0, room)]
