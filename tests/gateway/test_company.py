"""Several at one terminal: the owner's tabs, and staff who watch."""

import json

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth.models import Permission, User
from django.test import AsyncClient

from engine.gateway import frames
from engine.gateway import room as rooms_module
from engine.gateway.room import rooms
from engine.models import AuditEntry, Terminal, TerminalGrant
from tests.gateway.browser import Browser
from tests.gateway.conftest import Open
from tests.waiting import soon

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def helper() -> User:
    """Grace, staff with the right to watch."""
    user = User.objects.create_user("grace", first_name="Grace", last_name="Hopper", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="watch_terminal"))
    return user


async def lets(owner: User, terminal: Terminal, user: str, write: bool) -> tuple[int, dict[str, object]]:
    """The HTTP call by which an owner lets somebody write."""
    client = AsyncClient()
    await sync_to_async(client.force_login)(owner)
    body = json.dumps({"user": user, "write": write})
    response = await client.post(f"/terminals/{terminal.id}/write/", body, content_type="application/json")
    return response.status_code, json.loads(response.content)


async def test_staff_watches_and_everybody_knows(opens: Open, terminal: Terminal, owner: User, helper: User) -> None:
    async with opens() as ada:
        await ada.sees("# ")
        async with Browser(terminal.id, helper) as grace:
            assert (grace.hello["role"], grace.hello["write"], ada.hello["role"]) == ("watcher", False, "owner")
            await soon(lambda: ada.told("watching") == ["Grace Hopper is watching."], "the owner is told")
            assert ada.view["watchers"] == [{"user": "grace", "name": "Grace Hopper", "write": False}]
            ada.type("echo $((20 + 22))\r")
            await grace.sees("42\r\n")
            grace.type("echo $((1300 + 37))\r")
            await soon(lambda: grace.told("read-only") == ["You are watching. Ada can let you type."], "it is refused with words")
            ada.type("echo $((50 + 5))\r")
            await ada.sees("55\r\n")
            assert b"1300" not in ada.output
    entry = await AuditEntry.objects.aget(action="terminal.watch")
    assert (entry.actor, entry.subject, entry.detail) == ("grace", str(terminal.sandbox_id), {"terminal": 1, "owner": "ada"})


async def test_who_comes_later_is_told_who_watches(opens: Open, terminal: Terminal, helper: User) -> None:
    async with Browser(terminal.id, helper), opens() as ada:
        await soon(lambda: ada.told("watching") == ["Grace Hopper is watching."], "the owner is told")


async def test_a_watcher_comes_back_after_a_lost_connection_without_a_second_notice(
    opens: Open, terminal: Terminal, helper: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opens() as ada:
        async with Browser(terminal.id, helper, client="grace-browser"):
            pass
        async with Browser(terminal.id, helper, client="grace-browser"):
            await soon(lambda: ada.view.get("watchers"), "she is shown again")
        monkeypatch.setattr(rooms_module, "LINGER", 0.1)
        async with Browser(terminal.id, helper, client="grace-browser"):
            pass
        await soon(lambda: ada.told("left") == ["Grace Hopper no longer watches."], "her leaving is told once it is one")
        assert len(ada.told("watching")) == 1
        assert ada.view["watchers"] == []
    assert await AuditEntry.objects.filter(action="terminal.watch").acount() == 1


async def test_the_owner_gives_and_takes_the_leave_to_write(opens: Open, terminal: Terminal, owner: User, helper: User) -> None:
    async with opens() as ada, Browser(terminal.id, helper, client="grace-browser") as grace:
        grace.type("echo refused\r")
        await soon(lambda: grace.told("read-only"), "refused")
        assert await lets(owner, terminal, "grace", True) == (200, {"writers": ["grace"]})
        await soon(lambda: grace.view["write"], "she may write")
        await soon(lambda: ada.view["watchers"] == [{"user": "grace", "name": "Grace Hopper", "write": True}], "the owner's page shows it")
        grace.type("echo $((20 + 22))\r")
        await ada.sees("42\r\n")
        assert await lets(owner, terminal, "grace", False) == (200, {"writers": []})
        await soon(lambda: not grace.view["write"], "she may no longer")
        grace.type("echo $((50 + 5))\r")
        await soon(lambda: grace.taken == len(grace.typed), "what is refused is not to come again")
        ada.type("echo $((6 * 6))\r")
        await ada.sees("36\r\n")
        assert b"55" not in ada.output
        assert b"refused" not in ada.output
    assert [entry.action async for entry in AuditEntry.objects.filter(actor="ada").order_by("id")] == ["terminal.grant", "terminal.revoke"]


async def test_the_leave_to_write_ends_with_the_watching(opens: Open, terminal: Terminal, owner: User, helper: User) -> None:
    async with Browser(terminal.id, helper):
        assert (await lets(owner, terminal, "grace", True))[0] == 200
    async with Browser(terminal.id, helper) as again:
        assert again.hello["write"] is False
    assert not await TerminalGrant.objects.aexists()


async def test_only_the_owner_lets_others_write(terminal: Terminal, helper: User, owner: User) -> None:
    assert (await lets(helper, terminal, "grace", True))[0] == 404
    await sync_to_async(User.objects.create_user)("eve")
    assert (await lets(owner, terminal, "eve", True))[0] == 404, "who may not watch is not let in"
    assert (await lets(owner, terminal, "nobody", True))[0] == 404
    client = AsyncClient()
    for body in ("{", "[]", '{"user": "grace"}', '{"user": "grace", "write": "yes"}'):
        await sync_to_async(client.force_login)(owner)
        assert (await client.post(f"/terminals/{terminal.id}/write/", body, content_type="application/json")).status_code == 400
    assert (await client.get(f"/terminals/{terminal.id}/write/")).status_code == 405
    await client.alogout()
    response = await client.post(f"/terminals/{terminal.id}/write/", '{"user": "grace", "write": true}', content_type="application/json")
    assert response.status_code == 403
    assert not await TerminalGrant.objects.aexists()


async def test_who_loses_the_right_to_watch_is_sent_away_at_the_next_change(terminal: Terminal, owner: User, helper: User) -> None:
    async with Browser(terminal.id, helper) as grace:
        assert (await lets(owner, terminal, "grace", True))[0] == 200
        await soon(lambda: grace.view["write"], "she may write")
        await sync_to_async(helper.user_permissions.clear)()
        assert (await lets(owner, terminal, "grace", False))[0] == 404
        await sync_to_async(TerminalGrant.objects.all().delete)()
        layer = get_channel_layer()
        await layer.group_send(f"terminal.{terminal.id.hex}", {"type": "terminal.grants"})
        await soon(lambda: grace.ended, "she is sent away")
        assert grace.close_code == frames.NOT_YOURS


async def test_the_owners_window_that_was_used_last_decides_the_size(opens: Open, terminal: Terminal, helper: User) -> None:
    async with opens() as laptop, opens() as phone, Browser(terminal.id, helper) as grace:
        everybody = (laptop, phone, grace)
        await soon(lambda: all(one.view["tabs"] == 2 for one in everybody), "all know of two tabs")
        assert laptop.told("tabs") == phone.told("tabs") == ["This terminal is also open in another tab."]

        async def all_see(columns: int, rows: int) -> None:
            await soon(lambda: all((one.view["columns"], one.view["rows"]) == (columns, rows) for one in everybody), f"{columns} x {rows}")

        laptop.resize(120, 40)
        await all_see(120, 40)
        phone.resize(40, 20)
        await all_see(40, 20)
        laptop.type("stty size\r")
        await laptop.sees("40 120\r\n")
        await all_see(120, 40)
        grace.resize(200, 60)
        phone.type("\r")
        await all_see(40, 20)
        await phone.leave()
        await soon(lambda: (laptop.view["columns"], laptop.view["rows"]) == (120, 40), "the other window's size is back")
        laptop.type("clear; stty size\r")
        await laptop.sees("40 120\r\n")
        assert b"60 200" not in laptop.output


async def test_a_browser_that_comes_back_replaces_its_connection_that_nobody_saw_die(opens: Open) -> None:
    async with opens(client="one-browser") as dead, opens(client="one-browser") as alive:
        await soon(lambda: dead.ended, "the old connection is closed")
        assert dead.close_code == frames.REPLACED
        assert alive.view["tabs"] == 1
        alive.type("echo $((20 + 22))\r")
        await alive.sees("42\r\n")
    assert rooms == {}
