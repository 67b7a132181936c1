"""The rule set of an instance, as text: the kernel's own opinion of it is in test_network.py."""

import re
from pathlib import Path

import pytest

from engine.runtime.host import SLOTS, Host, Slot
from engine.runtime.network import MARK, firewall


@pytest.fixture(scope="module")
def text() -> str:
    return firewall(Host(state=Path("/nowhere"), instance=6))


def _chain(text: str, name: str) -> list[str]:
    found = re.search(rf"chain {name} {{\n(.*?)\n    }}", text, re.DOTALL)
    assert found is not None
    return [line.strip() for line in found[1].splitlines() if not line.strip().startswith("#")]


def test_every_slot_may_send_only_as_itself(text: str) -> None:
    for number, network in ((SLOTS[0], "none"), (250, "lab"), (SLOTS[-1], "internet")):
        slot = Slot(6, number)
        assert f'"{slot.port(network)}" . {slot.mac} . {slot.address}' in text
    assert text.count('"pg6') == len(SLOTS) * len(MARK) + len(MARK) + 1


def test_what_is_not_accepted_on_a_port_is_dropped(text: str) -> None:
    rules = _chain(text, "port")
    assert rules[-1] == "drop"
    assert sum("accept" in rule for rule in rules) == 1, "ARP under its own name; IP goes through the mark"


def test_labs_reach_the_registry_and_nothing_else_of_the_host(text: str) -> None:
    rules = _chain(text, "input")
    accepting = [rule for rule in rules if rule.endswith("accept") and "policy" not in rule]
    assert accepting == [
        'iifname "pgbr6" ip daddr 10.102.0.1 tcp dport 5000 accept',
        'iifname "pgbr6" ip daddr 10.102.0.1 icmp type echo-request limit rate 100/second accept',
    ]
    assert rules[-1] == 'iifname "pgbr6" drop'


def test_only_internet_labs_are_routed_and_never_to_private_networks_or_mail(text: str) -> None:
    rules = _chain(text, "forward")
    unmarked = rules.index(f'iifname "pgbr6" meta mark != {MARK["internet"]:#x} drop')
    private = next(index for index, rule in enumerate(rules) if "10.0.0.0/8" in rule and rule.endswith("drop"))
    accepted = rules.index('iifname "pgbr6" oifname != "pgbr6" accept')
    assert unmarked < private < accepted
    for network in ("127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"):
        assert network in rules[private]
    assert rules.index('iifname "pgbr6" tcp dport 25 drop') < accepted
    assert rules[-1] == 'oifname "pgbr6" drop'


def test_loading_it_again_replaces_it(text: str) -> None:
    for table in ("table bridge playground6", "table inet playground6"):
        assert text.index(table) < text.index(f"delete {table}") < text.index(f"{table} {{")
