"""The audit log: what it holds, and that nobody can change it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from engine import audit
from engine.audit_models import AppendOnly
from engine.errors import OverQuota, SiteFull
from engine.lifecycle import request_sandbox, stop_sandbox
from engine.models import AuditEntry
from tests.engine import paper

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry() -> AuditEntry:
    audit.record(None, "node.change", "here", after={"draining": True})
    return AuditEntry.objects.get()


def test_it_works(ada: User) -> None:
    """A machine's life: who, what, why."""
    paper.node()
    paper.rule(ada, memory=128 << 20)
    sandbox = request_sandbox(ada, paper.LAB)
    stop_sandbox(sandbox, "admin", by=User.objects.create_user("root"), detail="Exam is over.")
    start, end = AuditEntry.objects.order_by("id")
    assert (start.actor, start.action, start.subject) == ("ada", "sandbox.start", str(sandbox.id))
    assert (start.detail["label"], start.detail["memory"], start.detail["asked"]) == ("docker/first", 128 << 20, {"memory": 512 << 20})
    assert (end.actor, end.action, end.subject) == ("root", "sandbox.end", str(sandbox.id))
    assert (end.detail["reason"], end.detail["detail"], end.detail["owner"]) == ("admin", "Exam is over.", "ada")


def test_the_site_itself_is_called_engine(ada: User) -> None:
    stop_sandbox(paper.sandbox(ada, paper.node()), "idle")
    assert AuditEntry.objects.get().actor == audit.ENGINE


def test_an_end_is_noted_once(ada: User) -> None:
    sandbox = paper.sandbox(ada, paper.node())
    for _ in range(3):
        stop_sandbox(sandbox, "user", by=ada)
    assert AuditEntry.objects.count() == 1


def test_warm_ones_are_nobodys_and_not_noted(ada: User) -> None:
    stop_sandbox(paper.sandbox(None, paper.node(), state="ready"), "evicted")
    assert not AuditEntry.objects.exists()


def test_a_refusal_is_noted_though_its_transaction_is_undone(ada: User) -> None:
    paper.node()
    paper.rule(concurrent=0)
    with pytest.raises(OverQuota), audit.refusals(ada, "docker/first"), transaction.atomic():
        request_sandbox(ada, paper.LAB)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject, entry.detail["code"]) == ("ada", "sandbox.refused", "docker/first", "over-quota")
    assert "may not run machines" in entry.detail["text"]


def test_who_asks_in_a_loop_does_not_fill_the_log(ada: User, bob: User) -> None:
    paper.rule(concurrent=0)
    paper.node(heartbeat_at=timezone.now() + timedelta(minutes=2))
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for seconds in (0, 1, 58, 2):
            clock.shift(timedelta(seconds=seconds))
            for user in (ada, bob):
                with pytest.raises(OverQuota), audit.refusals(user, "docker/first"), transaction.atomic():
                    request_sandbox(user, paper.LAB)
    assert sorted(AuditEntry.objects.values_list("actor", flat=True)) == ["ada", "ada", "bob", "bob"]


@pytest.mark.parametrize("name", ["engine", "Operator"])
def test_nobody_signs_up_under_a_name_of_the_sites_own(client: Client, name: str) -> None:
    form = {"username": name, "email": "ada@example.org", "password1": "correct horse battery"}
    page = client.post("/accounts/signup/", form)
    assert page.status_code == 200
    assert page.context["form"].errors["username"]
    assert not User.objects.filter(username__iexact=name).exists()


def test_taking_a_node_out_of_service_and_back_is_noted_once_each() -> None:
    paper.node("lab-1")
    for word in ("drain", "drain", "resume", "resume"):
        call_command("node", word, "lab-1")
    noted = AuditEntry.objects.order_by("id").values_list("actor", "action", "subject")
    assert list(noted) == [("engine", "node.drain", "lab-1"), ("engine", "node.resume", "lab-1")]


def test_the_commands_refusals_are_noted_too() -> None:
    paper.node(max_sandboxes=0)
    with pytest.raises(CommandError, match=SiteFull.title):
        call_command("sandbox", "start", "--image", "linux")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.detail["code"]) == ("operator", "full")


@pytest.mark.parametrize(
    "deed",
    [
        lambda entry: entry.save(),
        lambda entry: entry.delete(),
        lambda entry: AuditEntry.objects.update(actor="nobody"),
        lambda entry: AuditEntry.objects.all().delete(),
        lambda entry: AuditEntry.objects.bulk_update([entry], ["actor"]),
    ],
)
def test_the_model_refuses_changes(entry: AuditEntry, deed: Callable[[AuditEntry], Any]) -> None:
    with pytest.raises(AppendOnly, match="only be added to"):
        deed(entry)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE engine_auditentry SET actor = 'nobody'", "DELETE FROM engine_auditentry", "DELETE FROM engine_auditentry WHERE id > 0"],
)
def test_the_database_refuses_changes_by_any_other_way(entry: AuditEntry, statement: str) -> None:
    with pytest.raises(DatabaseError, match="only be added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.get().actor == audit.ENGINE


def test_postgresql_refuses_to_empty_it(entry: AuditEntry) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(DatabaseError, match="only be added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE engine_auditentry")


def test_entries_outlive_the_account(ada: User) -> None:
    audit.record(ada, "node.change", "here")
    ada.delete()
    assert AuditEntry.objects.get().actor == "ada"


def test_an_admin_reads_and_searches_it_and_can_do_no_more(entry: AuditEntry, admin_client: Client) -> None:
    audit.record(None, "sandbox.end", "elsewhere", reason="idle")
    page = admin_client.get("/admin/engine/auditentry/", {"q": "draining"}).content.decode()
    assert "node.change" in page
    assert "elsewhere" not in page
    shown = f"/admin/engine/auditentry/{entry.pk}"
    assert admin_client.get(f"{shown}/change/").status_code == 200
    assert admin_client.post(f"{shown}/change/", {"actor": "nobody"}).status_code == 403
    assert admin_client.post(f"{shown}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get("/admin/engine/auditentry/add/").status_code == 403


def test_a_node_changed_in_the_admin_is_noted(admin_client: Client) -> None:
    node = paper.node()
    form = {"draining": "on", "memory_overcommit": "10", "cpu_overcommit": "200"}
    assert admin_client.post(f"/admin/engine/node/{node.pk}/change/", form).status_code == 302
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.detail) == ("admin", "node.change", {"after": {"draining": True}})
