"""What a node and each of its sandboxes use now: measured by the node's worker, read by the pages through the cache.

The web process may not read cgroups, and those of other nodes it cannot: so the worker leaves one small JSON per node there.
"""

import os
import shutil
import time
from collections.abc import Iterable

import psutil
import redis
import structlog
from django.core.cache import cache
from pydantic import BaseModel, ValidationError

from engine.models import Node, Sandbox
from engine.runtime import cgroups
from engine.runtime.host import Host

log = structlog.get_logger(__name__)
KEPT = 30  # s: older figures say nothing of now
BLOCK = 512  # bytes in a unit of st_blocks (stat(2))


class SandboxUsage(BaseModel):
    memory: int  # bytes that could not simply be given back
    cpu_seconds: float
    cores: float | None  # since the look before; None on the first
    pids: int
    disk: int  # bytes the sparse image takes on the host


class NodeUsage(BaseModel):
    monotonic: float
    memory_used: int
    memory_total: int
    disk_free: int
    disk_total: int
    load: float
    cores: float
    sandboxes: dict[str, SandboxUsage]


def _key(node_name: str) -> str:
    return f"usage.{node_name}"


def _parsed(text: str | None) -> NodeUsage | None:
    try:
        return NodeUsage.model_validate_json(text) if text else None
    except ValidationError:  # written by another version of this program
        return None


def note(node: Node, host: Host) -> None:
    """Measure and leave the figures in the cache. The worker calls it every few seconds."""
    found = measure(node, host, _parsed(cache.get(_key(node.name))))
    cache.set(_key(node.name), found.model_dump_json(), timeout=KEPT)


def measure(node: Node, host: Host, before: NodeUsage | None) -> NodeUsage:
    """A few small files per sandbox; what has gone meanwhile is left out."""
    now = time.monotonic()
    memory, space = psutil.virtual_memory(), shutil.disk_usage(host.state)
    made = Sandbox.objects.filter(node=node, state__in=Sandbox.LIVE).values_list("id", flat=True)
    found = {}
    for sandbox_id in made:
        usage = _of_sandbox(host, sandbox_id.hex, now, before)
        if usage is not None:
            found[sandbox_id.hex] = usage
    return NodeUsage(
        monotonic=now,
        memory_used=memory.total - memory.available,
        memory_total=memory.total,
        disk_free=space.free,
        disk_total=space.total,
        load=os.getloadavg()[0],
        cores=float(len(os.sched_getaffinity(0))),
        sandboxes=found,
    )


def _of_sandbox(host: Host, sandbox_id: str, now: float, before: NodeUsage | None) -> SandboxUsage | None:
    group = f"{host.cgroup}/{sandbox_id}"
    try:
        cpu = cgroups.cpu_time(group)
        memory, pids = cgroups.memory_needed(group), cgroups.pids_used(group)
        disk = (host.directory(sandbox_id) / "disk.img").stat().st_blocks * BLOCK
    except OSError:  # not made yet, or being removed
        return None
    old = before.sandboxes.get(sandbox_id) if before else None
    cores = None
    if before and old and now > before.monotonic:  # a reboot sets the monotonic clock back
        cores = max(0.0, cpu - old.cpu_seconds) / (now - before.monotonic)
    return SandboxUsage(memory=memory, cpu_seconds=cpu, cores=cores, pids=pids, disk=disk)


def of_nodes(names: Iterable[str]) -> dict[str, NodeUsage]:
    """The figures of the nodes that have left any lately. Without Redis there are none; the page says so."""
    keys = {_key(name): name for name in names}
    try:
        found = cache.get_many(list(keys))
    except (redis.RedisError, OSError) as error:
        log.warning("usage.not_read", error=str(error))
        return {}
    parsed = {keys[key]: _parsed(text) for key, text in found.items()}
    return {name: usage for name, usage in parsed.items() if usage is not None}
