"""Slots: the numbers from which address, user ids and names of a sandbox follow."""

import os
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from itertools import pairwise, product
from pathlib import Path

import pytest

from engine.runtime.errors import NoSlot
from engine.runtime.host import SLOTS, UIDS_PER_SLOT, Host, Slot, held_slot, lease_slot, release_slot
from engine.runtime.network import MARK
from engine.runtime.sandbox import drop_empty_leases, present


@pytest.fixture
def elsewhere(tmp_path: Path) -> Host:
    """An installation in a directory of its own, of which nothing is up."""
    return Host(state=tmp_path, instance=3)


def test_the_lowest_free_slot_is_leased(elsewhere: Host) -> None:
    assert [lease_slot(elsewhere, name * 32).number for name in "abc"] == [1, 2, 3]
    release_slot(elsewhere, Slot(3, 2))
    assert lease_slot(elsewhere, "d" * 32).number == 2


def test_a_lease_names_its_holder(elsewhere: Host) -> None:
    slot = lease_slot(elsewhere, "a" * 32)
    assert held_slot(elsewhere, "a" * 32) == slot
    assert held_slot(elsewhere, "b" * 32) is None
    assert present(elsewhere) == {"a" * 32}


def test_a_released_slot_is_nobodys_and_releasing_twice_is_no_error(elsewhere: Host) -> None:
    slot = lease_slot(elsewhere, "a" * 32)
    release_slot(elsewhere, slot)
    release_slot(elsewhere, slot)
    assert held_slot(elsewhere, "a" * 32) is None


def test_leases_taken_at_the_same_time_are_all_different(elsewhere: Host) -> None:
    with ThreadPoolExecutor(16) as pool:
        slots = list(pool.map(lambda number: lease_slot(elsewhere, f"{number:032x}"), range(64)))
    assert {slot.number for slot in slots} == set(range(1, 65))


def test_a_full_host_says_so(elsewhere: Host) -> None:
    elsewhere.slots.mkdir()
    for number in SLOTS:
        (elsewhere.slots / str(number)).touch()
    with pytest.raises(NoSlot, match="Stop some sandboxes"):
        lease_slot(elsewhere, "a" * 32)


def test_only_old_leases_without_a_holder_are_dropped(elsewhere: Host) -> None:
    lease_slot(elsewhere, "a" * 32)
    for number in (2, 3):
        (elsewhere.slots / str(number)).touch()
    for number in (1, 2):
        os.utime(elsewhere.slots / str(number), (1000, 1000))
    drop_empty_leases(elsewhere, older_than=2000)
    assert {entry.name for entry in elsewhere.slots.iterdir()} == {"1", "3"}


def test_no_two_sandboxes_share_anything() -> None:
    """Over all instances and slots: user ids, addresses, MACs and port names are different, and ids never wrap into the host's own."""
    slots = [Slot(instance, number) for instance in range(8) for number in SLOTS]
    starts = sorted(slot.uid for slot in slots)
    assert all(later - earlier >= UIDS_PER_SLOT for earlier, later in pairwise(starts))
    assert starts[0] > 0x70000000
    assert starts[-1] + UIDS_PER_SLOT <= 0xFFFFFFFE, "4294967295 is no user id"
    assert len({slot.address for slot in slots}) == len({slot.mac for slot in slots}) == len(slots)
    names = [slot.port(network) for slot, network in product(slots, MARK)]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 15, "IFNAMSIZ"


def test_addresses_are_of_the_instances_own_network() -> None:
    for instance in range(8):
        host = Host(state=Path("/nowhere"), instance=instance)
        reserved = {host.gateway, host.subnet.network_address, host.subnet.broadcast_address}
        addresses = {Slot(instance, number).address for number in SLOTS}
        assert host.subnet == IPv4Network(f"10.{96 + instance}.0.0/16")
        assert all(address in host.subnet for address in addresses)
        assert not addresses & reserved
