"""The pages Machines: what runs and what it uses, whose it is, and stopping it with words."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django_vite.core.asset_loader import DjangoViteAssetLoader

from engine import usage
from engine.models import AuditEntry, Sandbox
from engine.runtime.spec import GIB, MIB
from tests.engine import paper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _without_a_built_frontend(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DJANGO_VITE = {"default": {"dev_mode": True}}
    monkeypatch.setattr(DjangoViteAssetLoader, "_instance", None)
    cache.clear()


def words(response: Any) -> str:
    text = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", text)


def leave_figures(node: str, **sandboxes: usage.SandboxUsage) -> None:
    """What the node's worker would have left in the cache."""
    found = usage.NodeUsage(
        monotonic=1, memory_used=GIB, memory_total=4 * GIB, disk_free=50 * GIB, disk_total=100 * GIB, load=0.5, cores=2, sandboxes=sandboxes
    )
    cache.set(f"usage.{node}", found.model_dump_json(), timeout=30)


def test_it_works(admin_client: Client, ada: User) -> None:
    """An admin sees what a machine uses of what it may, stops it with words, and its owner is told those."""
    node = paper.node("lab-1")
    machine = paper.sandbox(ada, node, label="docker/first/run", started_at=timezone.now())
    leave_figures("lab-1", **{machine.id.hex: usage.SandboxUsage(memory=128 * MIB, cpu_seconds=3, cores=0.25, pids=12, disk=GIB)})
    text = words(admin_client.get("/manage/machines/"))
    for figure in ("128 MiB of 512 MiB", "0.25 of 1 core", "1 GiB of 2 GiB", "12 of 256", "128 MiB of memory used, 512 MiB promised"):
        assert figure in text
    for fact in ("docker/first/run", "ada", "lab-1", "Running"):
        assert fact in text

    address = f"/manage/machines/{machine.id}/stop/"
    stopped = admin_client.post(address, {"words": "The exam begins."}, follow=True)
    assert "Stopping docker/first/run." in words(stopped)
    machine.refresh_from_db()
    assert (machine.state, machine.end_reason, machine.end_detail) == ("stopping", "admin", "The exam begins.")
    entry = AuditEntry.objects.get(action="sandbox.end")
    assert (entry.actor, entry.detail["detail"]) == ("admin", "The exam begins.")


def test_stopping_somebody_else_s_needs_words(admin_client: Client, ada: User) -> None:
    machine = paper.sandbox(ada, paper.node())
    address = f"/manage/machines/{machine.id}/stop/"
    assert admin_client.post(address, {"words": "  "}).status_code == 422
    answer = admin_client.post(address, {"words": ""}, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"error": "This field is required."})
    machine.refresh_from_db()
    assert machine.state == "running"


def test_asking_stops_nothing(admin_client: Client, ada: User) -> None:
    machine = paper.sandbox(ada, paper.node())
    assert "Its files are deleted with it." in words(admin_client.get(f"/manage/machines/{machine.id}/stop/"))
    machine.refresh_from_db()
    assert machine.state == "running"


def test_a_learner_sees_and_stops_their_own_only(client: Client, ada: User, bob: User) -> None:
    node = paper.node()
    mine, other = paper.sandbox(ada, node, label="linux/shell/pipes"), paper.sandbox(bob, node, label="bobs/own/work")
    paper.sandbox(None, node, state="ready", label="warm pool")
    client.force_login(ada)
    page = client.get("/machines/")
    assert "linux/shell/pipes" in words(page)
    assert 'href="/courses/linux/shell/pipes/"' in page.content.decode()
    assert "bobs/own/work" not in words(page)
    assert "warm pool" not in words(page)
    assert client.post(f"/machines/{other.id}/stop/").status_code == 404
    answer = client.post(f"/machines/{mine.id}/stop/", headers={"Accept": "application/json"})
    assert answer.status_code == 204
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.end_reason, mine.ended_by, other.state) == ("user", ada, "running")


def test_only_staff_with_the_right_manages(client: Client, ada: User) -> None:
    machine = paper.sandbox(ada, paper.node())
    addresses = ("/manage/machines/", f"/manage/machines/{machine.id}/stop/")
    for address in addresses:
        assert client.get(address).headers["Location"].startswith("/accounts/login/")
    bob = User.objects.create_user("bob", is_staff=True)
    client.force_login(bob)
    assert [client.get(address).status_code for address in addresses] == [403, 403]
    bob.user_permissions.add(Permission.objects.get(codename="change_sandbox"))
    assert [client.get(address).status_code for address in addresses] == [200, 200]
    bob.is_staff = False
    bob.save()
    assert [client.get(address).status_code for address in addresses] == [403, 403]


def test_it_filters_by_state_node_and_owner(admin_client: Client, ada: User, bob: User) -> None:
    first, second = paper.node("lab-1"), paper.node("lab-2")
    paper.sandbox(ada, first, label="one")
    paper.sandbox(bob, second, label="two")
    paper.sandbox(None, second, state="ready", label="three")

    def shown(query: str) -> list[str]:
        text = words(admin_client.get(f"/manage/machines/?{query}"))
        return [label for label in ("one", "two", "three") if f" {label} " in text]

    assert shown("") == ["one", "two", "three"]
    assert shown("state=ready") == ["three"]
    assert shown("node=lab-2") == ["two", "three"]
    assert shown("owner=AD") == ["one"]
    assert shown("owner=ada&node=lab-2") == []
    assert "No machine fits" in words(admin_client.get("/manage/machines/?owner=nobody"))
    assert "Select a valid choice" in words(admin_client.get("/manage/machines/?node=lab-9"))


def test_who_waits_shows_their_place(admin_client: Client, ada: User, bob: User) -> None:
    now = timezone.now()
    for number, owner in enumerate((ada, bob)):
        paper.sandbox(owner, None, state="queued", label=f"lab-of-{owner}", queued_at=now + timedelta(seconds=number))
    text = words(admin_client.get("/manage/machines/"))
    assert "Waiting, place 1 in the line" in text
    assert "Waiting, place 2 in the line" in text
    assert "2 waiting" in text


def test_without_figures_the_limits_show(admin_client: Client, ada: User) -> None:
    paper.sandbox(ada, paper.node())
    assert "512 MiB at most" in words(admin_client.get("/manage/machines/"))


def test_the_part_is_the_list_alone(admin_client: Client, ada: User) -> None:
    paper.sandbox(ada, paper.node(), label="one")
    part = admin_client.get("/manage/machines/?part=list").content.decode()
    assert "<html" not in part
    assert "one" in part


def test_a_label_is_shown_as_text(admin_client: Client, ada: User) -> None:
    paper.sandbox(ada, paper.node(), label="<script>alert(1)</script>")
    assert "<script>alert(1)" not in admin_client.get("/manage/machines/").content.decode()


def test_a_hundred_rows_take_few_queries(admin_client: Client, ada: User, django_assert_max_num_queries: Any) -> None:
    node = paper.node()
    Sandbox.objects.bulk_create(
        Sandbox(owner=ada, node=node, image="linux", profile="basic", state="running", **paper.ASKED) for _ in range(120)
    )
    with django_assert_max_num_queries(10):
        text = words(admin_client.get("/manage/machines/"))
    assert "Page 1 of 2, 120 machines" in text
