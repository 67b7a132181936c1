"""The OCI runtime's command line. Anything that has it (crun, runsc, kata) may be put here."""

import json
import subprocess
from math import ceil
from pathlib import Path
from typing import Any

from engine.runtime import cgroups
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host, held_slot
from engine.runtime.machine import share, this_machine


def _call(host: Host, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [host.runtime_path(), "--root", str(host.runc_root), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
        raise StepFailed(f"runc {words[0]}", lines[-1])
    return result


def start(host: Host, sandbox_id: str, bundle: Path) -> int:
    """Create the container and start its init. Returns init's host pid."""
    pid_file, log = bundle / "init.pid", bundle / "runc.log"
    # Not through pipes: init keeps the stdio it is given, and a host pipe or file must not be seen from inside.
    result = subprocess.run(
        [
            host.runtime_path(), "--root", str(host.runc_root), "--log", str(log), "--log-format", "json",
            "run", "--detach", "--bundle", str(bundle), "--pid-file", str(pid_file), sandbox_id,
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if result.returncode != 0:
        messages = [json.loads(line)["msg"] for line in log.read_text().splitlines()] if log.exists() else []
        raise StepFailed("runc run", "; ".join(messages[-3:]) or f"exit status {result.returncode}")
    return int(pid_file.read_text())


def state(host: Host, sandbox_id: str) -> dict[str, Any] | None:
    """The OCI state (`status`: created, running, stopped), or None for a container the runtime does not know."""
    result = _call(host, "state", sandbox_id, check=False)
    return dict(json.loads(result.stdout)) if result.returncode == 0 else None


def delete(host: Host, sandbox_id: str) -> None:
    """Kill every process of the container and forget it. No error if it does not exist."""
    _call(host, "delete", "--force", sandbox_id)


def update(host: Host, sandbox_id: str, *, memory: int, cpus: float, pids: int) -> None:
    """Change the limits of a running container. memory in bytes, cpus in cores."""
    _call(
        host, "update", "--memory", str(memory), "--memory-swap", str(memory), "--cpu-period", "100000",
        "--cpu-quota", str(int(cpus * 100_000)), "--pids-limit", str(pids), *_processors(host, sandbox_id, cpus), sandbox_id,
    )  # fmt: skip


def _processors(host: Host, sandbox_id: str, cpus: float) -> list[str]:
    """More processors to run on where the new limit needs them. Never fewer: groups inside may hold them, and the quota binds anyway."""
    path, slot = f"{host.cgroup}/{sandbox_id}", held_slot(host, sandbox_id)
    here = this_machine()
    if slot is None or min(ceil(cpus), len(here.processors)) <= cgroups.processors(path):
        return []
    return ["--cpuset-cpus", share(here, slot, cpus) or ",".join(map(str, here.processors))]
