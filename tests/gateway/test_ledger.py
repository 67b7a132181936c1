"""Each browser's place in its input, kept where a killed gateway leaves it."""

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.gateway.ledger import SLOTS, Ledger


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 1000), st.booleans()), max_size=30))
def test_the_ledger_is_the_same_after_a_restart(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]) -> None:
    path = tmp_path_factory.mktemp("ledger") / "typed"
    taken = [0, 0, 0]
    for who, count, killed in steps:
        account = Ledger(path).account(1, f"client-{who}")
        assert (account.taken, account.uncertain) == (taken[who], 0)
        account.attempt(taken[who] + count)
        if killed:
            assert Ledger(path).account(1, f"client-{who}").uncertain == count
        else:
            account.settle(taken[who] + count)
        taken[who] += count


def test_it_forgets_the_client_that_was_here_longest_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000
    monkeypatch.setattr("engine.gateway.ledger.time.time", lambda: now)
    ledger = Ledger(tmp_path / "typed")
    for number in range(SLOTS + 1):
        now += 1
        ledger.account(1, f"client-{number:03}").settle(number + 1)
    assert ledger.account(1, "client-064").taken == SLOTS + 1
    assert ledger.account(1, "client-001").taken == 2
    assert ledger.account(1, "client-000").taken == 0, "it is the one that was forgotten"
    assert ledger.account(2, "client-002").taken == 0, "another account's browser is another browser"
    assert (tmp_path / "typed").stat().st_size < 4096


def test_a_full_disk_costs_what_is_kept_and_not_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.gateway.ledger.os.posix_fallocate", full)
    ledger = Ledger(tmp_path / "typed")
    ledger.account(1, "client-0").settle(7)
    assert ledger.account(1, "client-0").taken == 7
