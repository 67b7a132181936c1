"""Bringing running sandboxes to what their owners' quotas are now. Root's part, on the sandboxes' node."""

from typing import Any

import structlog
from django.utils import timezone

from engine import audit, clock, quotas
from engine.events import announce
from engine.models import Node, Sandbox
from engine.runtime import cgroups, runc
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host
from engine.runtime.spec import format_size

log = structlog.get_logger(__name__)
HOURS_EVERY = 60  # s
HEADROOM = 16 << 20  # bytes: a limit at exactly what is used would kill at the next allocation


def wanted(sandbox: Sandbox) -> dict[str, Any]:
    """memory, cpus and pids as they should be: what the lab asked for, within its owner's quota of this moment."""
    limits = quotas.effective(sandbox.owner)
    asked = {name: sandbox.asked.get(name, getattr(sandbox, name)) for name in quotas.LIVE_FIELDS}
    return quotas.within(asked, limits)


def apply(host: Host, sandbox: Sandbox) -> None:
    """Change the running sandbox. Memory is never set below what it uses: then that limit stays, and the audit log says so."""
    new = wanted(sandbox)
    old = {name: getattr(sandbox, name) for name in new}
    note = ""
    if new["memory"] < old["memory"]:
        used = cgroups.memory_needed(f"{host.cgroup}/{sandbox.id.hex}") + HEADROOM
        if used > new["memory"]:
            note = f"Memory stays at {format_size(old['memory'])}: {format_size(used - HEADROOM)} are in use."
            new["memory"] = old["memory"]
    if new != old:
        try:
            runc.update(host, sandbox.id.hex, memory=new["memory"], cpus=new["cpus"], pids=new["pids"])
        except StepFailed as error:
            # The kernel may find less to reclaim than was free a moment ago (EBUSY). What runs goes on under its old limits.
            log.warning("sandbox.limits_not_changed", sandbox=sandbox.id.hex, error=str(error))
            note, new = str(error), old
    if new == old and not note:
        return
    Sandbox.objects.filter(id=sandbox.id).update(**new)
    audit.record(None, "sandbox.limits", sandbox.id, before=old, after=new, **({"note": note} if note else {}))
    announce(sandbox)


def keep_to_hours(node: Node) -> None:
    """Once a minute: where the day's hours end before a machine's deadline, that is its deadline, and its owner is warned as of any other.

    A start reckons with the hours that are left then. Several machines use them faster, and a rule may have become tighter meanwhile; when
    the others are stopped or the rule is gone, it gets back what its lab asked for.
    """
    if not clock.due(f"{node.name}.hours", HOURS_EVERY):
        return
    running = Sandbox.objects.filter(state=Sandbox.State.RUNNING, owner__isnull=False)
    for sandbox in running.filter(node=node).select_related("owner").defer("files", "setup"):
        machines = running.filter(owner=sandbox.owner).count()
        effective = quotas.effective(sandbox.owner)
        name = "lifetime_seconds"
        most = max(sandbox.lifetime_seconds, quotas.within({name: sandbox.asked.get(name, sandbox.lifetime_seconds)}, effective)[name])
        left = quotas.longest_run(effective, sandbox.owner, max(1, machines))
        if left is not None:
            age = timezone.now() - (sandbox.started_at or sandbox.created_at)
            most = min(most, max(1, int(age.total_seconds()) + left))
        if abs(most - sandbox.lifetime_seconds) > 2:  # two looks never agree to the second
            Sandbox.objects.filter(id=sandbox.id).update(lifetime_seconds=most)
            announce(sandbox)
