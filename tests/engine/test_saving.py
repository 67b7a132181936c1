"""A machine is saved, resumed, put back and deleted: by rows and tasks, on the real kernel."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from engine import reconciling, saved_disks, saving, tasks, waiting
from engine.describe import describe
from engine.errors import Busy, Ended, NodeAway, OverSavedDisk
from engine.lifecycle import request_sandbox, stop_sandbox
from engine.models import AuditEntry, Node, Sandbox, SavedMachine
from engine.runtime import runc, shutdown
from engine.runtime import sandbox as runtime
from engine.runtime import saved as disks
from engine.runtime.host import Host
from engine.runtime.spec import GIB, MIB
from tests.conftest import Run
from tests.engine import paper
from tests.engine.conftest import SMALL

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]
Queued = Callable[[], list[tuple[str, list[str]]]]


@pytest.fixture(autouse=True)
def _nothing_stays(host: Host) -> Iterator[None]:
    yield
    assert runtime.destroy_all(host) == []
    for name in disks.present(host):
        disks.remove(host, name)


def _made(sandbox: Sandbox) -> Sandbox:
    tasks.create_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert sandbox.state == "running", sandbox.end_detail
    return sandbox


def _ended(sandbox: Sandbox) -> Sandbox:
    tasks.destroy_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    return sandbox


def _saved(user: User, run: Run, name: str = "my work") -> SavedMachine:
    sandbox = _made(request_sandbox(user, SMALL))
    run(sandbox.id.hex, "sh", "-c", "echo kept > /root/file")
    saving.save(sandbox, name, user)
    _ended(sandbox)
    return SavedMachine.objects.get()


def test_it_works(host: Host, node: Node, ada: User, run: Run, queued: Queued) -> None:
    sandbox = _made(request_sandbox(ada, SMALL))
    run(sandbox.id.hex, "sh", "-c", "echo kept > /root/file")
    saving.save(sandbox, "my work", ada)
    kept = SavedMachine.objects.get()
    assert (sandbox.state, kept.state, kept.owner, kept.node, kept.image_digest) == (
        "stopping", "saving", ada, node, node.images["linux"]["digest"],
    )  # fmt: skip
    assert queued()[-1] == ("destroy_sandbox", [sandbox.id.hex]), "a task carries an id, and nothing else"
    _ended(sandbox)
    kept.refresh_from_db()
    assert (sandbox.state, sandbox.end_reason, kept.state) == ("stopped", "saved", "saved")
    assert 0 < kept.size < 64 * MIB
    assert (describe(sandbox)["end"]["title"], describe(sandbox)["saved"]["resumable"]) == ("Your machine is saved", True)
    assert runtime.present(host) == set()

    again = _made(saving.resume(kept, ada))
    kept.refresh_from_db()
    assert (kept.state, kept.sandbox, again.id != sandbox.id) == ("running", again, True)
    assert [step["name"] for step in again.steps] == ["reserve", "check", "boot", "terminal"]
    assert run(again.id.hex, "cat", "/root/file").stdout == b"kept\n"
    assert [entry.action for entry in AuditEntry.objects.filter(subject=str(kept.id)).order_by("id")] == ["saved.save", "saved.resume"]


@pytest.mark.parametrize("reason", ["idle", "user", "admin", "deadline", "out-of-memory"])
def test_however_a_resumed_one_ends_it_is_put_back(node: Node, ada: User, run: Run, reason: str) -> None:
    kept = _saved(ada, run)
    again = _made(saving.resume(kept, ada))
    run(again.id.hex, "sh", "-c", "echo more >> /root/file")
    stop_sandbox(again, reason)
    _ended(again)
    kept.refresh_from_db()
    assert kept.state == "saved"
    assert "are kept as “my work”" in describe(again)["end"]["text"]
    third = _made(saving.resume(kept, ada))
    assert run(third.id.hex, "cat", "/root/file").stdout == b"kept\nmore\n"


class Killed(BaseException):
    """As far as the code goes, kill -9: nothing catches it."""


@pytest.mark.parametrize(
    ("module", "name"),
    [(disks, "_sync"), (shutdown, "shut_down"), (runc, "delete"), (runtime.shutil, "rmtree"), (disks, "flush")],  # type: ignore[attr-defined]
    ids=["while the disk gets its second name", "while programs end", "before the container is gone", "before the rest goes", "at the end"],
)
def test_a_worker_killed_in_any_step_leaves_it_saved(
    host: Host, node: Node, ada: User, run: Run, monkeypatch: pytest.MonkeyPatch, queued: Queued, module: Any, name: str
) -> None:
    def kill(*_: object, **__: object) -> None:
        raise Killed

    sandbox = _made(request_sandbox(ada, SMALL))
    run(sandbox.id.hex, "sh", "-c", "echo kept > /root/file")
    saving.save(sandbox, "my work", ada)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, kill)
        with pytest.raises(Killed):
            tasks.destroy_sandbox(sandbox.id.hex)
    disk = host.directory(sandbox.id.hex) / "disk.img"
    assert disk.exists() or disks.size(host, SavedMachine.objects.get().id.hex), "never neither"
    monkeypatch.setattr(tasks, "GENERATION", "anew")
    tasks.resume()
    assert ("destroy_sandbox", [sandbox.id.hex]) in queued()
    _ended(sandbox)
    again = _made(saving.resume(SavedMachine.objects.get(state="saved"), ada))
    assert run(again.id.hex, "cat", "/root/file").stdout == b"kept\n"


def test_a_node_given_up_while_saving_keeps_it_when_it_is_back(host: Host, node: Node, ada: User, run: Run) -> None:
    """Its row was ended elsewhere meanwhile; `tend` and `reconcile` find the sandbox, and keep the disk before they remove it."""
    for mend in (saved_disks.tend, reconciling.reconcile):
        sandbox = _made(request_sandbox(ada, SMALL))
        saving.save(sandbox, "my work", ada)
        Node.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=6))
        reconciling.give_up_node(Node.objects.get())
        Node.objects.update(heartbeat_at=timezone.now())
        assert Sandbox.objects.get(id=sandbox.id).state == "stopped"
        mend(node, host)
        assert SavedMachine.objects.get().state == "saved"
        assert runtime.present(host) == set()
        SavedMachine.objects.all().delete()


def test_a_hostile_disk_is_refused_with_words_and_kept(host: Host, node: Node, ada: User, run: Run) -> None:
    kept = _saved(ada, run)
    with (host.saved / kept.id.hex / "disk.img").open("r+b") as file:
        file.write(bytes(range(256)) * 4096)
    sandbox = saving.resume(kept, ada)
    tasks.create_sandbox(sandbox.id.hex)
    _ended(sandbox)
    kept.refresh_from_db()
    assert (sandbox.state, kept.state) == ("failed", "failed")
    assert "holds no ext4 file system" in kept.reason
    assert "no ext4 file system" in describe(sandbox)["end"]["text"]
    assert disks.size(host, kept.id.hex)
    assert runtime.present(host) == set()


def test_deleted_ones_go_and_running_ones_do_not(host: Host, node: Node, ada: User, run: Run) -> None:
    kept = _saved(ada, run)
    again = _made(saving.resume(kept, ada))
    with pytest.raises(Busy, match="Stop the machine first"):
        saving.delete(kept, ada)
    stop_sandbox(again, "user", by=ada)
    _ended(again)
    saving.delete(kept, ada)
    saved_disks.tend(node, host)
    assert not SavedMachine.objects.exists()
    assert disks.present(host) == set()
    assert AuditEntry.objects.filter(action="saved.delete", actor="ada").exists()


@pytest.mark.parametrize("how", ["account", "age"])
def test_they_go_with_the_account_and_with_age(host: Host, node: Node, ada: User, run: Run, how: str) -> None:
    kept = _saved(ada, run)
    saved_disks.tend(node, host)
    assert disks.size(host, kept.id.hex), "not before"
    if how == "account":
        ada.delete()
    else:
        SavedMachine.objects.update(saved_at=timezone.now() - timedelta(days=settings.SAVED_DAYS, minutes=1))
    saved_disks.tend(node, host)
    assert not SavedMachine.objects.exists()
    assert disks.present(host) == set()
    assert AuditEntry.objects.get(action="saved.delete").actor == "engine"


def test_a_disk_without_a_row_is_left_to_an_admin(host: Host, node: Node, ada: User, run: Run) -> None:
    kept = _saved(ada, run)
    SavedMachine.objects.all().delete()
    (host.saved / "half").mkdir()
    saved_disks._look_for_strangers(host)
    assert disks.present(host) == {kept.id.hex}


def test_the_image_is_the_build_it_was_made_with(host: Host, node: Node, ada: User, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = _saved(ada, run)
    old = kept.image_digest
    Node.objects.update(images={"linux": node.images["linux"] | {"digest": "f" * 64}})
    sandbox = saving.resume(kept, ada)
    assert sandbox.image_digest == old
    _made(sandbox)


def test_it_waits_for_its_own_node(host: Host, node: Node, ada: User, bob: User, run: Run) -> None:
    kept = _saved(ada, run)
    Node.objects.filter(pk=node.pk).update(sandboxes_cap=0)
    other = paper.node("elsewhere", images=node.images)
    Node.objects.filter(pk=node.pk).update(sandboxes_cap=1)
    busy = paper.sandbox(bob, node)
    sandbox = saving.resume(kept, ada)
    assert sandbox.state == "queued"
    waiting.admit()
    sandbox.refresh_from_db()
    assert sandbox.state == "queued", f"{other} has room, but not the disk"
    Sandbox.objects.filter(id=busy.id).delete()
    waiting.admit()
    sandbox.refresh_from_db()
    assert (sandbox.state, sandbox.node, sandbox.image_digest) == ("creating", node, kept.image_digest)
    _made(sandbox)


def _paper(user: User, node: Node, size: int = 100 * MIB, **columns: Any) -> SavedMachine:
    names = {"image": "linux", "image_digest": "0" * 64, "profile": "basic", "network": "lab", "state": "saved", "name": f"{size}"}
    wishes = dict(paper.ASKED) | {"idle_seconds": 900, "lifetime_seconds": 7200}
    kept: SavedMachine = SavedMachine.objects.create(owner=user, node=node, size=size, wishes=wishes, **(names | columns))
    return kept


def test_the_quota_binds_and_says_what_to_delete(ada: User) -> None:
    place = paper.node()
    running = paper.sandbox(ada, place, disk=600 * MIB)
    _paper(ada, place, 500 * MIB, name="large")
    paper.rule(ada, saved_disk=1 * GIB)
    with pytest.raises(OverSavedDisk, match=r"may take 1 GiB \(set for you\); yours take 500 MiB, and this one takes 600 MiB.*“large”"):
        saving.save(running, "one more", ada)
    running.refresh_from_db()
    assert running.state == "running", "nothing is lost"
    SavedMachine.objects.all().delete()
    saving.save(running, "one more", ada)
    assert running.state == "stopping"


def test_no_quota_at_all_says_so(ada: User) -> None:
    running = paper.sandbox(ada, paper.node())
    paper.rule(saved_disk=0)
    with pytest.raises(OverSavedDisk, match="may not save machines"):
        saving.save(running, "one", ada)


def test_only_a_running_one_can_be_saved(ada: User) -> None:
    with pytest.raises(Ended):
        saving.save(paper.sandbox(ada, paper.node(), state="stopping"), "one", ada)


@pytest.mark.parametrize(
    ("columns", "node_columns", "error", "words"),
    [
        ({}, {"heartbeat_at": timezone.now() - timedelta(minutes=1)}, NodeAway, "which does not answer now. It is kept"),
        ({}, {"draining": True}, NodeAway, "being maintained. It is kept"),
        ({"state": "running"}, {}, Busy, "runs already"),
        ({"state": "saving"}, {}, Busy, "being saved"),
    ],
)
def test_why_it_cannot_be_resumed(ada: User, columns: Any, node_columns: Any, error: Any, words: str) -> None:
    kept = _paper(ada, paper.node(**node_columns), **columns)
    with pytest.raises(error, match=words):
        saving.resume(kept, ada)
    assert not Sandbox.objects.exists()


def test_its_limits_are_those_of_today(ada: User) -> None:
    kept = _paper(ada, paper.node())
    paper.rule(ada, memory=128 * MIB, disk=100 * MIB)
    sandbox = saving.resume(kept, ada)
    assert (sandbox.memory, sandbox.asked["memory"], sandbox.disk) == (128 * MIB, 512 * MIB, 2 * GIB)
    assert saved_disks.resumed_from(sandbox) == kept.id.hex
