"""The tables of docs/security.md, made from the code. `python -m tests.security.document` writes them there; a test holds them equal."""

import re
from collections.abc import Iterator
from pathlib import Path

from engine.runtime import network
from engine.runtime.disk import BYTES_PER_INODE
from engine.runtime.machine import FIGURES
from engine.runtime.profiles import DOCKER_CAPABILITIES, MASKED, PROFILES, RLIMITS
from engine.runtime.seccomp import ABSENT, DENIED, NESTING
from engine.runtime.spec import format_size
from tests.security.catalogue import probes

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "security.md"
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
PROFILES_SOURCE = DOCUMENT.parents[1] / "engine" / "runtime" / "profiles.py"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _reasons(text: str) -> Iterator[tuple[str, str]]:
    """(names, reason) of each line of the capability lists: its comment is the reason."""
    for names, reason in re.findall(r'^    ((?:"CAP_\w+", ?)+) *# (.+)$', text, re.MULTILINE):
        yield ", ".join(f"`{name}`" for name in re.findall(r"CAP_\w+", names)), reason


def capabilities() -> str:
    basic = set(PROFILES["basic"].capabilities)

    def rows() -> Iterator[tuple[str, ...]]:
        for names, reason in _reasons(PROFILES_SOURCE.read_text()):
            listed = re.findall(r"CAP_\w+", names)
            assert set(listed) <= set(DOCKER_CAPABILITIES)
            yield names, "yes" if set(listed) <= basic else "no", "yes", reason

    return _table(("capability", "basic", "docker", "why"), rows())


def namespaces() -> str:
    names = PROFILES["docker"].user_limits
    rows = ((f"`user.{name}`", *(str(PROFILES[profile].user_limits[name]) for profile in ("basic", "docker"))) for name in names)
    return _table(("limit", "basic", "docker"), rows)


def rlimits() -> str:
    return _table(("limit", "soft", "hard"), ((f"`{name}`", str(soft), str(hard)) for name, soft, hard in RLIMITS))


def calls() -> str:
    def names(found: frozenset[str]) -> str:
        return ", ".join(f"`{name}`" for name in sorted(found))

    rows = [
        ("EPERM", names(DENIED)),
        ("ENOSYS, so that programs fall back", names(ABSENT)),
        ("only in `docker`", names(NESTING)),
    ]
    return _table(("answer", "system calls"), iter(rows))


def masks() -> str:
    rows = [
        ("empty or absent, both profiles", ", ".join(f"`{path}`" for path in MASKED)),
        ("read-only, basic", ", ".join(f"`{path}`" for path in PROFILES["basic"].readonly)),
        ("read-only, docker", ", ".join(f"`{path}`" for path in PROFILES["docker"].readonly)),
        ("the sandbox's own figures, where the host runs lxcfs", ", ".join(f"`/proc/{name}`" for name in FIGURES)),
    ]
    return _table(("what", "paths"), iter(rows))


def tmpfs() -> str:
    rows = (
        (f"`{entry['destination']}`", f"`{','.join(entry['options'])}`")
        for entry in PROFILES["basic"].mounts
        if entry["type"] in ("tmpfs", "devpts")
    )
    return _table(("mount", "options"), rows)


def traffic() -> str:
    rows = [
        ("connections at once", str(network.MOST_CONNECTIONS)),
        ("new connections", f"{network.NEW_PER_SECOND} a second, {network.NEW_BURST} at once"),
        ("packets", f"{network.PACKETS_PER_SECOND} a second, {network.PACKET_BURST} at once"),
        ("the host's connection table, and each network namespace's", f"{network.CONNECTION_TABLE} entries"),
        ("inodes of the disk", f"one per {format_size(BYTES_PER_INODE)}"),
        ("never reached, whatever the network", f"`{network.NOT_INTERNET}`, IPv6, TCP port 25"),
    ]
    return _table(("of one sandbox", "at most"), iter(rows))


def attacks() -> str:
    rows = ((probe.name[:2], probe.attack, probe.source, " ".join(sorted(probe.profiles)), " ".join(probe.weakening)) for probe in probes())
    return _table(("probe", "attack", "source", "profiles", "fails without"), rows)


TABLES = {made.__name__: made for made in (capabilities, namespaces, rlimits, calls, masks, tmpfs, traffic, attacks)}


def renewed(text: str) -> str:
    """The document with its tables as the code has them."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[3]}", text)


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text()))
