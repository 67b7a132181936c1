"""What a sandbox may be asked to be, and the words with which anything else is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.runtime.errors import InvalidSpec
from engine.runtime.spec import GIB, KIB, MIB, SandboxSpec, checked_spec, format_size, parse_size

GOOD: dict[str, Any] = {"id": "0123456789abcdef" * 2, "image": "linux"}


def test_an_id_and_an_image_are_enough() -> None:
    spec = checked_spec(**GOOD)
    assert (spec.profile, spec.network, spec.hostname, spec.terminals) == ("basic", "lab", "lab", 1)
    assert (spec.limits.memory, spec.limits.cpus, spec.limits.pids, spec.limits.disk) == (512 * MIB, 1.0, 256, 2 * GIB)


def test_a_spec_cannot_be_changed() -> None:
    spec = checked_spec(**GOOD)
    with pytest.raises(ValidationError, match="frozen"):
        spec.profile = "docker"


def test_a_spec_survives_being_written_down() -> None:
    spec = checked_spec(**GOOD, profile="docker", network="internet", hostname="web-1", terminals=3)
    assert SandboxSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("id", "0123"),
        ("id", "G" * 32),
        ("id", "../../../../../../etc/passwd/aaa"),
        ("id", "0123456789ABCDEF" * 2),
        ("id", "0123456789abcdef" * 2 + "\n"),
        ("image", ""),
        ("image", "../linux"),
        ("image", "Linux"),
        ("image", "-linux"),
        ("image", "a" * 64),
        ("image", "linux\n"),
        ("profile", "privileged"),
        ("network", "host"),
        ("hostname", ""),
        ("hostname", "-lab"),
        ("hostname", "lab-"),
        ("hostname", "Lab"),
        ("hostname", "lab.example"),
        ("hostname", "a" * 64),
        ("hostname", "lab\n127.0.0.1 evil"),
        ("hostname", "lab\n"),
        ("terminals", -1),
        ("terminals", 9),
        ("limits.memory", 64 * MIB - 1),
        ("limits.memory", 64 * GIB + 1),
        ("limits.cpus", 0.09),
        ("limits.cpus", 65),
        ("limits.cpus", float("nan")),
        ("limits.pids", 15),
        ("limits.pids", 8193),
        ("limits.disk", 64 * MIB - 1),
        ("limits.disk", 1024 * GIB + 1),
        ("limits.swap", 1),
        ("capabilities", ["CAP_SYS_ADMIN"]),
        ("privileged", True),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(place: str, value: object) -> None:
    first, _, second = place.partition(".")
    with pytest.raises(InvalidSpec) as refusal:
        checked_spec(**(GOOD | {first: {second: value} if second else value}))
    assert str(refusal.value).startswith(f"{place}: ")
    assert repr(value) in str(refusal.value)


@pytest.mark.parametrize("missing", ["id", "image"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(InvalidSpec, match=rf"^{missing}: Field required"):
        checked_spec(**{name: value for name, value in GOOD.items() if name != missing})


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidSpec, match=r"id: .*; image: .*; limits\.pids: "):
        checked_spec(id="x", image="", limits={"pids": 1})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512MiB", 512 * MIB),
        ("512 MiB", 512 * MIB),
        (" 1g ", GIB),
        ("1.5GiB", 3 * GIB // 2),
        ("64k", 64 * KIB),
        ("2m", 2 * MIB),
        ("1KIB", KIB),
        ("123", 123),
    ],
)
def test_sizes_are_read_with_binary_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1MiB", "1 TB", "1e9", "1GB", "0x10", "1,5GiB", "1MiB;reboot", "½GiB"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidSpec, match="512MiB or 2GiB"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=1 << 50))
def test_a_size_for_people_reads_back_within_its_rounding(size: int) -> None:
    shown = format_size(size)
    read = size if shown.endswith(" B") else parse_size(shown)
    assert abs(read - size) <= max(size * 0.05, 0)


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (KIB, "1 KiB"), (1536 * MIB, "1.5 GiB"), (2 * GIB, "2 GiB")])
def test_sizes_are_written_short(size: int, text: str) -> None:
    assert format_size(size) == text
