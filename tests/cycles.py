"""`python -m tests.cycles [N]`: make and destroy N sandboxes, and see that nothing grows. Exit status 1 if something does.

Counted is what belongs to this installation and to this process: others on the host may be at work meanwhile.
"""

import argparse
import contextlib
import gc
import os
import statistics
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

from engine.runtime import cgroups, images, instance, network, sandbox
from engine.runtime.host import Host
from engine.runtime.spec import GIB, MIB, Limits, checked_spec

WARM_UP = 10  # cycles until allocator, caches and imports have their size
# Two caches fill meanwhile and then stay: strings pydantic has parsed (16,384 of them), attribute names CPython has looked up (4,096).
RSS_ALLOWED = 4 * MIB
SHARES = ("linux", "docker")


def _network_namespaces(host: Host) -> set[str]:
    """Held by a process of a sandbox or of ours. One that a descriptor or a veth pair holds is among the descriptors or the ports."""
    pids = cgroups.processes(host.cgroup) | {child.pid for child in psutil.Process().children(recursive=True)}
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # ended since
            found.add(str(Path(f"/proc/{pid}/ns/net").readlink()))
    return found


def _own_mounts(host: Host) -> Iterator[str]:
    seen = set()
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            namespace, text = (path.parent / "ns/mnt").readlink(), path.read_text()
        except OSError:
            continue
        if namespace not in seen:
            seen.add(namespace)
            yield from (line for line in text.splitlines() if str(host.sandboxes) in line)


def count(host: Host) -> dict[str, int]:
    """Everything a cycle could leave behind."""
    me = psutil.Process()
    backings = [backing for backing in sandbox._loop_backings() if backing.startswith(str(host.state))]
    groups = sum(1 for hierarchy in cgroups.hierarchies() for _ in os.walk(hierarchy / host.cgroup))
    return {
        "mounts": sum(1 for _ in _own_mounts(host)),
        "loop devices": len(backings),
        "network namespaces": len(_network_namespaces(host)),
        "cgroups": groups,
        "ports": len(network.ports(host)),
        "leases": len(list(host.slots.iterdir())),
        "directories": len(list(host.sandboxes.iterdir())) + len(list(host.runc_root.iterdir())),
        "children": len(me.children(recursive=True)),
        "threads": me.num_threads(),
        "descriptors": me.num_fds(),
        "resident bytes": me.memory_info().rss,
    }


def cycle(host: Host, image: images.Image) -> float:
    """One sandbox with a terminal, made and destroyed; returns seconds."""
    limits = Limits(**(dict(image.limits) | {"memory": 256 * MIB, "disk": 1 * GIB}))
    spec = checked_spec(id=uuid.uuid4().hex, image=image.name, profile=image.profile, limits=limits, terminals=1)
    begun = time.perf_counter()
    sandbox.create(host, spec)
    sandbox.destroy(host, spec.id)
    return time.perf_counter() - begun


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What there is more of than before, and by how much."""
    allowed = {"resident bytes": RSS_ALLOWED}
    return {name: after[name] - before[name] for name in before if after[name] - before[name] > allowed.get(name, 0)}


def run(host: Host, cycles: int, say: bool = True) -> dict[str, int]:
    """Do the cycles, the images in turn; returns what has grown."""
    there = [image for image in images.list_images(host.images) if image.name in SHARES]
    for number in range(WARM_UP):
        cycle(host, there[number % len(there)])
    gc.collect()
    before, times, begun = count(host), [], time.monotonic()
    for number in range(cycles):
        times.append(cycle(host, there[number % len(there)]))
        if say and (number + 1) % 100 == 0:
            print(f"{number + 1} cycles, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    gc.collect()
    after = count(host)
    more = grown(before, after)
    if say:
        print(f"{cycles} cycles of {', '.join(image.name for image in there)}: median {statistics.median(times) * 1000:.0f} ms")
        for name, value in before.items():
            print(f"{name:20} {value:>12,} -> {after[name]:>12,}{'  GREW' if name in more else ''}")
    return more


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cycles", description=__doc__)
    parser.add_argument("cycles", type=int, nargs="?", default=1000)
    state = Path(os.environ["PLAYGROUND_STATE"])
    cycles = parser.parse_args().cycles
    was_up = instance.find(state) is not None
    host = instance.bring_up(state)
    try:
        return 1 if run(host, cycles) else 0
    finally:
        if not was_up:
            instance.take_down(host)


if __name__ == "__main__":
    sys.exit(main())
