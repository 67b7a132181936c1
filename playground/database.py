"""SQLite's write-ahead log stays open for as long as the site runs.

Whoever closes the last connection merges the log and deletes it. The next one makes it anew, and where that is root (the engine, a
command), the unprivileged web process may meet a file that is not its own yet: "unable to open database file". It also costs a flush to
disk each time.

Source: https://sqlite.org/wal.html, "The WAL File" and "WAL-Mode Files".
"""

import sqlite3

from django.db.backends.base.base import BaseDatabaseWrapper

_held: list[sqlite3.Connection] = []


def hold_log(connection: BaseDatabaseWrapper, **_: object) -> None:
    """A receiver of `connection_created`: at the first, open one connection more that is never used and never closed."""
    if connection.vendor != "sqlite" or _held:
        return
    held = sqlite3.connect(connection.settings_dict["NAME"])
    held.execute("SELECT count(*) FROM sqlite_master")  # only who has read has joined the log
    _held.append(held)
