"""What makes the audit log append-only in the database itself, whoever holds the connection.

SQLite forgets the triggers of a table that a migration makes anew: such a migration must call `create` again.
Sources: sqlite.org/lang_createtrigger.html, PostgreSQL's CREATE TRIGGER.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "engine_auditentry"
MESSAGE = "The audit log can only be added to."

CREATE = {
    "sqlite": [
        f"CREATE TRIGGER {TABLE}_no_{word} BEFORE {word.upper()} ON {TABLE} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        for word in ("update", "delete")
    ],
    "postgresql": [
        f"CREATE OR REPLACE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$",
        f"CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION {TABLE}_refuse()",
        f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_refuse()",
    ],
}
DROP = {
    "sqlite": [f"DROP TRIGGER IF EXISTS {TABLE}_no_{word}" for word in ("update", "delete")],
    "postgresql": [f"DROP TRIGGER IF EXISTS {TABLE}_{name} ON {TABLE}" for name in ("append_only", "no_truncate")],
}


def create(connection: BaseDatabaseWrapper) -> None:
    """Install them. Raises KeyError on a database we do not support."""
    _run(connection, CREATE[connection.vendor])


def drop(connection: BaseDatabaseWrapper) -> None:
    """Take them away: for a migration's way back, and for tests that empty their database."""
    _run(connection, DROP[connection.vendor])


def _run(connection: BaseDatabaseWrapper, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
