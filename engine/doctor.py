"""The doctor: can this machine run sandboxes, and if not, what is to be done? Standard library only."""

import os
from pathlib import Path
from typing import Literal

from engine import diagnosis
from engine.diagnosis import Finding

Group = Literal["kernel", "tools"]


def examine(group: Group | None = None) -> list[Finding]:
    """Everything the doctor looks at: what the machine must bring (`kernel`), then what set-up installs (`tools`)."""
    state = Path(os.environ.get("PLAYGROUND_STATE", "/var/lib/playground"))
    findings: list[Finding] = []
    if group in (None, "kernel"):
        findings += [diagnosis.root(), diagnosis.kernel(), diagnosis.cgroup_controllers(), diagnosis.memory(), diagnosis.disk_space(state)]
        if os.geteuid() == 0:  # these try the real thing
            findings += [diagnosis.user_namespaces(), diagnosis.overlay(state), diagnosis.loop_devices(state)]
        bind, port = os.environ.get("PLAYGROUND_BIND", "127.0.0.1"), int(os.environ.get("PLAYGROUND_PORT", "8000"))
        findings += [diagnosis.port(bind, port), *diagnosis.hardening()]
    if group in (None, "tools"):
        findings += [*diagnosis.tools(), diagnosis.runtime(os.environ.get("PLAYGROUND_RUNTIME", "runc"))]
        if os.geteuid() == 0:
            findings += diagnosis.network()
    return findings
