"""The page Quotas: who may open it, what it shows, and that a change is seen before it is made."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone
from django_vite.core.asset_loader import DjangoViteAssetLoader

from engine.models import AuditEntry, Node, QuotaRule, Sandbox
from engine.quantities import parse_duration
from engine.runtime.spec import GIB, MIB
from tests.engine import paper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _without_a_built_frontend(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DJANGO_VITE = {"default": {"dev_mode": True}}
    monkeypatch.setattr(DjangoViteAssetLoader, "_instance", None)


def form(**values: str) -> dict[str, str]:
    return {"scope": "global"} | values


def words(response: Any) -> str:
    """The page's text as a person reads it."""
    text = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", text)


def test_it_works(admin_client: Client, ada: User) -> None:
    """A rule is written with units, its effect is shown, it is confirmed, it holds, and the log has it."""
    paper.sandbox(ada, paper.node(), label="docker/first")
    preview = admin_client.post("/manage/quotas/new/", form(memory="256 MiB", idle_seconds="10 min", step="preview"))
    assert not QuotaRule.objects.exists()
    text = words(preview)
    assert "2 users get other limits: memory, idle time." in text
    assert "1 machine changes while it runs." in text
    assert "Memory 512 MiB → 256 MiB" in text
    assert "Idle time 15 minutes, then 10 minutes" in text

    assert 'value="256 MiB"' in preview.content.decode()
    saved = admin_client.post("/manage/quotas/new/", form(memory="256 MiB", idle_seconds="10 min", step="save"), follow=True)
    rule = QuotaRule.objects.get()
    assert (rule.scope, rule.memory, rule.idle_seconds, rule.cpus) == ("global", 256 * MIB, 600, None)
    assert "1 running machine is being changed" in words(saved)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject) == ("admin", "quota.create", "everybody")
    assert entry.detail["after"] == {"memory": 256 * MIB, "idle_seconds": 600}


def test_a_lookup_shows_which_rule_gave_each_value(admin_client: Client, ada: User) -> None:
    group = Group.objects.create(name="Class 4b")
    ada.groups.add(group)
    paper.rule(memory=2 * GIB, concurrent=3)
    paper.rule(group, memory=1 * GIB)
    paper.sandbox(ada, paper.node())
    text = words(admin_client.get("/manage/quotas/", {"user": "ada"}))
    assert "Memory per machine 1 GiB - rule for group Class 4b" in text
    assert "Machines at once per user 3 1 now rule for everybody" in text
    assert "Disk per machine as the lab asks - built in: no rule speaks of it" in text


def test_a_lookup_of_nobody_says_so_and_keeps_what_was_typed(admin_client: Client) -> None:
    page = admin_client.get("/manage/quotas/", {"user": "adda"})
    assert "There is no user “adda”." in words(page)
    assert 'value="adda"' in page.content.decode()


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"memory": "lots"}, "“lots” is not a size"),
        ({"memory": "512"}, "“512” has no unit. Write for example 512 MiB"),
        ({"memory": "1 KiB"}, "Memory must be between 64 MiB and 64 GiB"),
        ({"memory": "-1 GiB"}, "is not a size"),
        ({"memory": "9" * 30 + " GiB"}, "Memory must be between"),
        ({"cpus": "two"}, "“two” is not a number"),
        ({"cpus": "nan"}, "is not a number"),
        ({"pids": "1.5"}, "“1.5” is not a whole number"),
        ({"idle_seconds": "15"}, "“15” is not a time"),
        ({"idle_seconds": "1 fortnight"}, "is not a time"),
        ({"lifetime_seconds": "8 days"}, "Deadline must be between 1 minute and"),
        ({"daily_hours": "-1"}, "is not a number"),
        ({}, "Set at least one limit"),
        ({"scope": "user", "memory": "1 GiB"}, "Write the user's name"),
        ({"scope": "user", "user_name": "adda", "memory": "1 GiB"}, "There is no user “adda”"),
        ({"scope": "group", "memory": "1 GiB"}, "Choose the group"),
        ({"scope": "planet", "memory": "1 GiB"}, "planet"),
    ],
)
@pytest.mark.parametrize("step", ["preview", "save"])
def test_bad_input_is_refused_and_nothing_typed_is_lost(admin_client: Client, typed: dict[str, str], problem: str, step: str) -> None:
    response = admin_client.post("/manage/quotas/new/", form(**({"note": "for the exam"} | typed), step=step))
    assert response.status_code == 422
    assert problem in words(response).replace("&#x27;", "'")
    content = response.content.decode()
    assert 'value="for the exam"' in content
    assert all(f'value="{value}"' in content for name, value in typed.items() if name != "scope")
    assert not QuotaRule.objects.exists()


def test_a_second_rule_about_the_same_is_refused(admin_client: Client, ada: User) -> None:
    paper.rule(ada, concurrent=1)
    response = admin_client.post("/manage/quotas/new/", form(scope="user", user_name="ada", memory="1 GiB", step="save"))
    assert "There is a rule for this already" in words(response)
    assert QuotaRule.objects.count() == 1


def test_changing_back_from_the_preview_keeps_what_was_typed(admin_client: Client) -> None:
    response = admin_client.post("/manage/quotas/new/", form(memory="256 MiB", note="exam", step="edit"))
    assert response.status_code == 200
    assert 'value="256 MiB"' in response.content.decode()
    assert not QuotaRule.objects.exists()


def test_a_rule_is_shown_as_it_is_and_saving_that_changes_nothing(admin_client: Client) -> None:
    odd: dict[str, Any] = {"memory": 300 * MIB + 512, "disk": 3 * GIB // 2, "cpus": 0.75, "idle_seconds": 95, "daily_hours": 2.5}
    rule = paper.rule(**odd)
    page = admin_client.get(f"/manage/quotas/{rule.pk}/").content.decode()
    typed = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    assert admin_client.post(f"/manage/quotas/{rule.pk}/", typed | {"step": "save"}).status_code == 302
    rule.refresh_from_db()
    assert {name: getattr(rule, name) for name in odd} == odd


def test_two_admins_do_not_overwrite_each_other(admin_client: Client) -> None:
    rule = paper.rule(concurrent=3)
    seen = rule.updated_at.isoformat()
    rule.concurrent = 5
    rule.save()
    response = admin_client.post(f"/manage/quotas/{rule.pk}/", {"concurrent": "4", "seen": seen, "step": "save"})
    assert response.status_code == 409
    assert "Somebody changed this rule while you did. It now says: Machines at once 5." in words(response)
    assert 'value="4"' in response.content.decode()
    rule.refresh_from_db()
    assert rule.concurrent == 5


def test_a_tighter_rule_elsewhere_means_that_nobody_is_touched(admin_client: Client, ada: User) -> None:
    paper.rule(memory=256 * MIB)
    response = admin_client.post("/manage/quotas/new/", form(scope="user", user_name="ada", memory="1 GiB", step="preview"))
    assert "0 users get other limits. Tighter rules hold" in words(response)


def test_who_has_more_than_they_then_may_is_named(admin_client: Client, ada: User) -> None:
    node = paper.node()
    for _ in range(2):
        paper.sandbox(ada, node)
    text = words(admin_client.post("/manage/quotas/new/", form(concurrent="1", step="preview")))
    assert "1 user has more machines now than they then may: ada." in text
    assert "0 machines change while they run." in text


def test_only_members_are_touched_by_a_groups_rule(admin_client: Client, ada: User, bob: User) -> None:
    group = Group.objects.create(name="Class 4b")
    ada.groups.add(group)
    response = admin_client.post("/manage/quotas/new/", form(scope="group", group=str(group.pk), memory="1 GiB", step="preview"))
    assert "1 user gets other limits: memory." in words(response)


def test_removing_a_rule_is_shown_before_it_is_done(admin_client: Client, ada: User) -> None:
    rule = paper.rule(memory=256 * MIB)
    paper.sandbox(ada, paper.node(), memory=256 * MIB, asked=paper.ASKED)
    text = words(admin_client.get(f"/manage/quotas/{rule.pk}/remove/"))
    assert "Memory 256 MiB → 512 MiB" in text
    assert QuotaRule.objects.exists()
    admin_client.post(f"/manage/quotas/{rule.pk}/remove/")
    assert not QuotaRule.objects.exists()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.detail["before"]) == ("quota.remove", "everybody", {"memory": 256 * MIB})


def test_a_nodes_capacity_and_over_commit_are_set_after_a_preview(admin_client: Client) -> None:
    node = paper.node(memory=16 * GIB, cpus=4.0)
    typed = {"memory_cap": "8 GiB", "memory_overcommit": "2", "cpus_cap": "", "cpu_overcommit": "3", "sandboxes_cap": "5"}
    text = words(admin_client.post(f"/manage/quotas/nodes/{node.pk}/", typed | {"step": "preview"}))
    assert "of 160 GiB" in text
    assert "of 16 GiB" in text
    Node.objects.filter(pk=node.pk).update(heartbeat_at=(beat := timezone.now()))
    assert admin_client.post(f"/manage/quotas/nodes/{node.pk}/", typed | {"step": "save"}).status_code == 302
    node.refresh_from_db()
    assert (node.most_memory, node.most_cpus, node.most_sandboxes, node.heartbeat_at) == (16 * GIB, 12, 5, beat)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.detail["before"]["memory_cap"], entry.detail["after"]["memory_cap"]) == ("node.change", None, 8 * GIB)


@pytest.mark.parametrize("typed", [{"memory_overcommit": "0"}, {"memory_overcommit": "many"}, {"memory_cap": "8"}, {"sandboxes_cap": "-1"}])
def test_a_nodes_bad_input_is_refused(admin_client: Client, typed: dict[str, str]) -> None:
    node = paper.node()
    response = admin_client.post(
        f"/manage/quotas/nodes/{node.pk}/", {"memory_overcommit": "2", "cpu_overcommit": "2", "step": "save"} | typed
    )
    assert response.status_code == 422
    assert all(f'value="{value}"' in response.content.decode() for value in typed.values())
    assert not AuditEntry.objects.exists()


PATHS = (
    "/manage/quotas/",
    "/manage/quotas/new/",
    "/manage/quotas/{rule}/",
    "/manage/quotas/{rule}/remove/",
    "/manage/quotas/nodes/{node}/",
)


@pytest.mark.parametrize("path", PATHS)
def test_only_staff_with_the_right_may_see_it(client: Client, ada: User, path: str) -> None:
    address = path.format(rule=paper.rule(concurrent=1).pk, node=paper.node().pk)
    answer = client.get(address)
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")
    client.force_login(ada)
    right = Permission.objects.get(codename="change_quotarule")
    assert client.get(address).status_code == 403
    ada.user_permissions.add(right)
    assert client.get(address).status_code == 403, "the right alone is not enough"
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    assert client.get(address).status_code == 200
    ada.user_permissions.remove(right)
    assert client.get(address).status_code == 403, "nor is being staff"


@pytest.mark.parametrize("path", PATHS[1:])
def test_a_learner_cannot_post_to_it(client: Client, ada: User, path: str) -> None:
    client.force_login(ada)
    address = path.format(rule=paper.rule(concurrent=1).pk, node=paper.node().pk)
    assert client.post(address, form(concurrent="99", step="save")).status_code == 403
    assert QuotaRule.objects.get().concurrent == 1


def test_a_name_is_shown_and_never_run(admin_client: Client) -> None:
    evil = "<script>alert(1)</script>"
    User.objects.create_user(evil)
    paper.rule(User.objects.get(username=evil), concurrent=1, note=evil)
    page = admin_client.get("/manage/quotas/", {"user": evil}).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_menu_leads_there_for_those_who_may(admin_client: Client, client: Client, ada: User) -> None:
    assert 'href="/manage/quotas/"' in admin_client.get("/courses/").content.decode()
    client.force_login(ada)
    assert 'href="/manage/quotas/"' not in client.get("/courses/").content.decode()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90 s", 90), ("15 min", 900), ("15m", 900), ("2 h", 7200), ("1.5 hours", 5400), ("1 Day", 86400), ("2 minutes", 120)],
)
def test_times_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


def test_a_long_list_of_machines_is_cut(admin_client: Client, ada: User) -> None:
    node = paper.node()
    Sandbox.objects.bulk_create(
        Sandbox(owner=ada, node=node, image="linux", profile="basic", state="running", **paper.ASKED) for _ in range(60)
    )
    text = words(admin_client.post("/manage/quotas/new/", form(memory="256 MiB", step="preview")))
    assert "60 machines change while they run" in text
    assert "And 10 more." in text
