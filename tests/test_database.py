"""SQLite's write-ahead log outlives whoever uses the database."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from playground import database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "site.sqlite3"
    _use(path)
    return path


def _use(path: Path) -> None:
    """As a short command does: open, write, close."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS visits (at INTEGER)")
    connection.execute("INSERT INTO visits VALUES (1)")
    connection.commit()
    connection.close()


def _connection(vendor: str, path: Path) -> SimpleNamespace:
    return SimpleNamespace(vendor=vendor, settings_dict={"NAME": path})


def test_it_stays_when_the_last_user_closes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = path.with_name(f"{path.name}-wal")
    assert not log.exists(), "without it, whoever closes last deletes it"
    held: list[sqlite3.Connection] = []
    monkeypatch.setattr(database, "_held", held)
    for _ in range(2):
        database.hold_log(_connection("sqlite", path))  # type: ignore[arg-type]  # the two attributes that it reads
    assert len(held) == 1
    _use(path)
    assert log.exists()
    held[0].close()


def test_another_database_needs_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[sqlite3.Connection] = []
    monkeypatch.setattr(database, "_held", held)
    database.hold_log(_connection("postgresql", path))  # type: ignore[arg-type]
    assert held == []
