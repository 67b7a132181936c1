"""Attacks run inside a sandbox of each profile, the engine's own way in: each is held off, and each notices when its defence is missing.

The story of one probe: its header names attack, source and the weakening it is a test of; it ends with 0 and HELD in a real sandbox, and
with 1 and WORKED in one that was made without the defence (`weak.py`).
"""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

import pytest

from engine import attach
from engine.runtime import disk, network, sandbox
from engine.runtime.host import Host, Slot
from engine.runtime.profiles import INOTIFY, PROFILES, RLIMITS
from engine.runtime.spec import GIB, MIB, Limits, SandboxSpec, checked_spec
from tests.security import catalogue, weak
from tests.security.catalogue import Probe
from tests.security.surroundings import PORT, fixed_facts, targets

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]
IMAGES = {"basic": "linux", "docker": "docker"}
LIMITS = {
    "basic": Limits(memory=256 * MIB, pids=128, cpus=1, disk=1 * GIB),
    "docker": Limits(memory=384 * MIB, pids=192, cpus=1, disk=1 * GIB),
}
HERE = Path(__file__).parent
DRIVER, NEIGHBOUR, HELPER = ((HERE / name).read_text() for name in ("driver.py", "neighbour.py", "probes/probe.py"))
SECONDS = 25  # for one probe
CASES = [(profile, probe.name) for profile in IMAGES for probe in catalogue.probes() if profile in probe.profiles]
each = pytest.mark.parametrize(("profile", "name"), CASES)


@dataclass(frozen=True)
class Result:
    """What one probe said. `status`: 0 held, 1 the attack worked, anything else: the probe itself is broken."""

    status: int
    output: str

    @property
    def verdict(self) -> str:
        """The last line's first word where it fits the status, otherwise nothing."""
        last = self.output.strip().splitlines()[-1:] or [""]
        word = last[0].partition(" ")[0]
        return word if (self.status, word) in ((0, "HELD"), (1, "WORKED")) else ""


Results = dict[tuple[str, str], Result]


def _spec(profile: str, **wishes: object) -> SandboxSpec:
    # `internet` is the network that may do most: what holds there holds in the others.
    values = {"network": "internet", "hostname": "lab", "terminals": 0, "limits": LIMITS[profile], **wishes}
    return checked_spec(id=uuid4().hex, image=IMAGES[profile], profile=profile, **values)


@contextmanager
def _made(host: Host, spec: SandboxSpec) -> Iterator[Slot]:
    slot = sandbox.create(host, spec)
    try:
        yield slot
    finally:
        sandbox.destroy(host, spec.id)


@contextmanager
def _neighbour(host: Host) -> Iterator[tuple[SandboxSpec, Slot]]:
    """A docker sandbox that answers on every layer: it may open packet sockets and switch its IPv6 on."""
    spec = _spec("docker")
    with _made(host, spec) as slot:
        started = sandbox.run(host, spec.id, ("python3", "-c", NEIGHBOUR, str(PORT)), stdin=b"", timeout=20)
        assert started.stdout == b"up\n", started.stderr.decode()
        yield spec, slot


def _facts(host: Host, spec: SandboxSpec, slot: Slot, neighbour: Slot) -> dict[str, object]:
    rlimits = {name: hard for name, _, hard in RLIMITS}
    limits = spec.limits
    return {
        **fixed_facts(host),
        "own": str(slot.address), "neighbour": str(neighbour.address), "neighbour_mac": neighbour.mac,
        "memory": limits.memory, "pids": limits.pids, "cpus": limits.cpus, "disk": limits.disk,
        "inodes": disk.inodes(limits.disk) * 11 // 10,  # mkfs fills its last group of inodes
        "nofile": rlimits["RLIMIT_NOFILE"], "msgqueue": rlimits["RLIMIT_MSGQUEUE"], "sigpending": rlimits["RLIMIT_SIGPENDING"],
        "inotify": INOTIFY["max_inotify_instances"],
        "connections": network.MOST_CONNECTIONS, "flows": network.NEW_BURST + network.NEW_PER_SECOND,
    }  # fmt: skip


def _work(probes: list[Probe], facts: dict[str, object]) -> bytes:
    texts = {probe.name: probe.text for probe in probes}
    return json.dumps({"helper": HELPER, "facts": facts, "probes": texts, "seconds": SECONDS}).encode()


def _read(profile: str, output: bytes) -> Results:
    found = [json.loads(line) for line in output.decode().splitlines() if line.startswith("{")]
    return {(profile, item["name"]): Result(item["status"], item["output"]) for item in found}


def _through_the_engine(host: Host, spec: SandboxSpec, work: bytes) -> bytes:
    """As `manage.py sandbox exec` does it: the engine prepares the command, the caller attaches to it."""
    directory = sandbox.open_command(host, spec.id, uuid4().hex, ("python3", "-c", DRIVER))
    with TemporaryFile() as stdin, TemporaryFile() as stdout:
        stdin.write(work)
        stdin.seek(0)
        attach.stream(directory, spec.id, stdin.fileno(), stdout.fileno(), stdout.fileno())
        stdout.seek(0)
        return stdout.read()


def _wishes(profile: str, batch: list[Probe]) -> dict[str, object]:
    """Half a processor where something is exhausted: less than a busy machine has to give, so that the limit is what binds."""
    return {"limits": LIMITS[profile].model_copy(update={"cpus": 0.5})} if batch[0].alone else {}


def _batches(probes: list[Probe]) -> list[list[Probe]]:
    """All the harmless together; what exhausts something by itself."""
    harmless = [probe for probe in probes if not probe.alone]
    return ([harmless] if harmless else []) + [[probe] for probe in probes if probe.alone]


@pytest.fixture(scope="module")
def _targets(host: Host) -> Iterator[None]:
    with targets(host):
        yield


@pytest.fixture(scope="module")
def neighbour(host: Host, _targets: None) -> Iterator[Slot]:
    with _neighbour(host) as (_, slot):
        yield slot


@pytest.fixture(scope="module")
def in_real_sandboxes(host: Host, neighbour: Slot) -> Results:
    results: Results = {}
    for profile in IMAGES:
        for batch in _batches([probe for probe in catalogue.probes() if profile in probe.profiles]):
            spec = _spec(profile, **_wishes(profile, batch))
            with _made(host, spec) as slot:
                output = _through_the_engine(host, spec, _work(batch, _facts(host, spec, slot, neighbour)))
                results |= _read(profile, output)
                assert sandbox.alive(host, spec.id), f"{profile}: the sandbox did not outlive {batch[-1].name}"
    return results


def _in_weak_sandbox(host: Host, neighbour: Slot, profile: str, names: tuple[str, ...], batch: list[Probe]) -> Results:
    spec = _spec(profile, **_wishes(profile, batch))
    with ExitStack() as undo:
        if "firewall" in names:  # a neighbour of its own, whose port is opened as well
            beside, neighbour = undo.enter_context(_neighbour(host))
        undo.enter_context(weak.weakened(names))
        slot = undo.enter_context(_made(host, spec))
        if "firewall" in names:
            undo.enter_context(weak.open_network(host, [(beside, neighbour), (spec, slot)]))
        facts = _facts(host, spec, slot, neighbour)
        if "promises" in names:
            facts |= {name: int(str(facts[name])) // 10 for name in ("nofile", "msgqueue")}
        leak = "descriptor" in names
        ended = weak.execute(host, spec.id, ("python3", "-c", DRIVER), _work(batch, facts), leak=leak)
        return _read(profile, ended.stdout + ended.stderr)


@pytest.fixture(scope="module")
def in_weak_sandboxes(host: Host, neighbour: Slot) -> Results:
    results: Results = {}
    strong = deepcopy(PROFILES)
    for profile in IMAGES:
        probes = [probe for probe in catalogue.probes() if profile in probe.profiles]
        for names in sorted({probe.weakening for probe in probes}):
            for batch in _batches([probe for probe in probes if probe.weakening == names]):
                results |= _in_weak_sandbox(host, neighbour, profile, names, batch)
    assert strong == PROFILES, "a weakening outlived its sandbox"
    return results


@each
def test_the_defence_holds(in_real_sandboxes: Results, profile: str, name: str) -> None:
    result = in_real_sandboxes.get((profile, name), Result(-1, "it did not run"))
    assert result.verdict == "HELD", f"{result.status}: {result.output}"


@each
def test_it_notices_when_its_defence_is_missing(in_weak_sandboxes: Results, profile: str, name: str) -> None:
    result = in_weak_sandboxes.get((profile, name), Result(-1, "it did not run"))
    assert result.verdict == "WORKED", f"{result.status}: {result.output}"


@pytest.mark.parametrize("profile", IMAGES)
def test_there_are_fifty_and_more_for_each_profile(profile: str) -> None:
    tally = sum(profile in probe.profiles for probe in catalogue.probes())
    print(f"{profile}: {tally} probes", file=sys.stderr)
    assert tally >= 50


def test_every_header_names_weakenings_that_exist() -> None:
    for probe in catalogue.probes():
        assert probe.profiles <= set(IMAGES), probe.name
        assert set(weak.steps(probe.weakening)) <= set(weak.STEPS), probe.name


def test_a_probe_without_a_source_is_refused() -> None:
    with pytest.raises(ValueError, match="Source"):
        catalogue.parsed("99_x.py", '"""Attack: x\nProfiles: basic\nWeakening: seccomp\n"""\n')


def test_the_weak_sandboxes_are_gone(host: Host, neighbour: Slot, in_weak_sandboxes: Results) -> None:
    assert in_weak_sandboxes
    assert [sandbox.inspect(host, name).slot for name in sandbox.present(host)] == [neighbour]
