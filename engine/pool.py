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
    room = node.most_sandboxes - Sandbox.objects.filter(node=node, state__in=Sandbox.LIVE).count()
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


def outdated(node: Node) -> list[Sandbox]:
    """Warm sandboxes nobody will be given: their image was built anew, the pool shrank, or the node drains."""
    surplus: list[Sandbox] = []
    warm = list(Sandbox.objects.filter(node=node, owner=None, state=Sandbox.State.READY).order_by("created_at"))
    for image in {sandbox.image for sandbox in warm}:
        size = 0 if node.draining or image not in node.images else settings.WARM_POOL.get(image, 0)
        mine = [sandbox for sandbox in warm if sandbox.image == image]
        current = [sandbox for sandbox in mine if image in node.images and sandbox.image_digest == node.images[image]["digest"]]
        surplus += [sandbox for sandbox in mine if sandbox not in current] + current[size:]
    return surplus
