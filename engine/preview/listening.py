"""Finding out what listens: the worker's part, as root."""

import structlog

from engine.events import announce
from engine.models import Node, Preview, Sandbox
from engine.runtime import sandbox as runtime
from engine.runtime.errors import SandboxError
from engine.runtime.host import Host
from engine.runtime.listeners import listeners

MOST_SHOWN = 50  # ports; a list that is longer helps nobody

log = structlog.get_logger(__name__)


def look(host: Host, sandbox: Sandbox) -> bool:
    """Note what the sandbox listens on; tells whether that has changed. Its first look gives it its preview."""
    try:
        found = [{"port": item.port, "reachable": item.reachable} for item in listeners(host, sandbox.id.hex)[:MOST_SHOWN]]
        slot = runtime.slot_of(host, sandbox.id.hex)
    except (SandboxError, OSError) as error:  # it is ending: whoever tends it says so
        log.info("ports.not_read", sandbox=sandbox.id.hex, error=str(error))
        return False
    preview: Preview | None = getattr(sandbox, "preview", None)
    if preview is None and slot is not None:
        return Preview.objects.get_or_create(sandbox=sandbox, defaults={"address": str(slot.address), "ports": found})[1]
    if preview is None or preview.ports == found:
        return False
    preview.ports = found
    preview.save(update_fields=["ports"])
    return True


def look_at_all(node: Node, host: Host) -> None:
    """Look at every sandbox of the node that is ready or in use, and tell the pages whose list has changed."""
    states = (Sandbox.State.READY, Sandbox.State.RUNNING)
    for sandbox in Sandbox.objects.filter(node=node, state__in=states).select_related("preview").defer("files", "setup"):
        if look(host, sandbox) and sandbox.owner_id is not None:
            announce(sandbox)
