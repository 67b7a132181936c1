"""What idle sandboxes cost the host."""

import contextlib

import psutil

from engine.runtime import cgroups, conmon, instance, sandbox
from tests.ops.stack import Stack


def idle_cost(stack: Stack) -> int:
    """Bytes of the pool's one sandbox: proportional set size of its processes and its conmon, and kernel memory charged to it."""
    host = instance.opened(stack.installation.state)
    (sandbox_id,) = sandbox.present(host)
    path = f"{host.cgroup}/{sandbox_id}"
    holders = [conmon.holder(directory) for directory in (host.directory(sandbox_id) / "terminals").iterdir()]
    processes = [psutil.Process(pid) for pid in cgroups.processes(path)] + [holder for holder in holders if holder]
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total + cgroups.kernel_memory(path)
