"""Saving a machine, resuming and deleting one: what the web calls. The disks are `engine.saved_disks`', on their node."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.translation import gettext as _

from engine import audit, lifecycle, placement, quotas, usage
from engine.errors import Busy, Ended, NodeAway, OverSavedDisk
from engine.lifecycle import SandboxRequest, stop_sandbox
from engine.models import Node, Sandbox, SavedMachine, Terminal
from engine.runtime.spec import format_size

State = SavedMachine.State
MOST = 50  # per user, however small
NODE_RESERVE = 2 << 30  # bytes of a node's disk that are for machines that run
LIMITS = ("memory", "cpus", "pids", "idle_seconds", "lifetime_seconds")


def save(sandbox: Sandbox, name: str, by: Any) -> SavedMachine:
    """Keep the disk of a running sandbox, and stop it. One that was resumed is put back where it came from.

    Raises Ended, or OverSavedDisk with what is used and what can be deleted.
    """
    with transaction.atomic():
        get_user_model().objects.select_for_update().get(pk=by.pk)
        running = Sandbox.objects.select_for_update(of=("self",)).select_related("node").get(id=sandbox.id)
        if running.state != Sandbox.State.RUNNING or running.node is None:
            raise Ended(_("It does not run, so there is nothing to save."))
        kept = SavedMachine.objects.filter(sandbox=running).first()
        if kept is None:
            kept = _new(running, running.node, name, by)
        else:
            SavedMachine.objects.filter(id=kept.id).update(name=name)
        audit.record(by, "saved.save", kept.id, name=name, label=kept.label, node=kept.node.name, size=kept.size)
        stop_sandbox(running, Sandbox.Reason.SAVED, by=by)
    sandbox.refresh_from_db()
    return kept


def _new(sandbox: Sandbox, node: Node, name: str, owner: Any) -> SavedMachine:
    measured = usage.of_nodes([node.name]).get(node.name)
    of_it = measured.sandboxes.get(sandbox.id.hex) if measured else None
    size = of_it.disk if of_it else sandbox.disk  # nobody has measured it yet: it may be full
    refuse_over(owner, size)
    if measured and measured.disk_free < NODE_RESERVE:
        text = _("The disk of node %(node)s is nearly full, so no machine can be kept there now. Tell your instructor.")
        raise OverSavedDisk(text % {"node": node.name})
    asked = {limit: sandbox.asked.get(limit, getattr(sandbox, limit)) for limit in LIMITS}
    saved: SavedMachine = SavedMachine.objects.create(
        owner=owner,
        node=node,
        sandbox=sandbox,
        name=name,
        label=sandbox.label,
        image=sandbox.image,
        image_digest=sandbox.image_digest,
        profile=sandbox.profile,
        network=sandbox.network,
        terminals=sandbox.terminals.exclude(state=Terminal.State.CLOSING).count(),
        wishes=asked | {"disk": sandbox.disk},
        size=size,
    )
    return saved


def refuse_over(user: Any, more: int) -> None:
    """Whether `more` bytes fit beside what the user has saved already. Raises OverSavedDisk."""
    limit = quotas.effective(user)["saved_disk"]
    mine = list(of(user).order_by("-size"))
    if len(mine) >= MOST:
        text = _("You have %(count)s saved machines, and that is the most. Delete one on your home page, then save this one.")
        raise OverSavedDisk(text % {"count": len(mine)})
    used = sum(item.size for item in mine)
    if limit.value is None or used + more <= limit.value:
        return
    if not limit.value:
        text = _("Your account may not save machines (%(origin)s). Ask your instructor if you need it.")
        raise OverSavedDisk(text % {"origin": quotas.origin(limit)})
    text = _("Saved machines may take %(most)s (%(origin)s); yours take %(used)s, and this one takes %(more)s.") % {
        "most": format_size(int(limit.value)),
        "origin": quotas.origin(limit),
        "used": format_size(used),
        "more": format_size(more),
    }
    if mine:
        largest = ", ".join(f"“{item.name}” ({format_size(item.size)})" for item in mine[:3])
        way = _("Delete one on your home page, then save this one. The largest: %(names)s.") % {"names": largest}
    else:
        way = _("Delete files in it, or ask your instructor for more.")
    raise OverSavedDisk(f"{text} {way}")


def of(user: Any) -> Any:
    """The user's saved machines, the newest first."""
    gone = SavedMachine.objects.filter(owner=user).exclude(state=State.DELETING)
    return gone.select_related("node", "sandbox").defer("sandbox__files", "sandbox__setup")


def used(user: Any) -> int:
    """Bytes that the user's saved machines take."""
    return sum(of(user).values_list("size", flat=True))


def why_not(saved: SavedMachine) -> str:
    """Why it cannot be resumed now, for its owner; empty where it can."""
    if not saved.resumable:
        return {
            State.SAVING: _("It is being saved. This takes a moment."),
            State.RUNNING: _("It runs already."),
            State.DELETING: _("It is being deleted."),
        }[State(saved.state)]
    if not saved.node.alive:
        return _("It is on the node %(node)s, which does not answer now. It is kept there; try again later.") % {"node": saved.node.name}
    if saved.node.draining:
        text = _("It is on the node %(node)s, which is being maintained. It is kept; try again in a few minutes.")
        return text % {"node": saved.node.name}
    return ""


@transaction.atomic
def resume(saved: SavedMachine, user: Any) -> Sandbox:
    """A sandbox with the saved disk, on its node; it waits in the line where that is full. Raises a child of Refused."""
    get_user_model().objects.select_for_update().get(pk=user.pk)
    rooms = placement.rooms(lock=True)
    saved = SavedMachine.objects.select_for_update(of=("self",)).select_related("node").get(pk=saved.pk)
    if text := why_not(saved):
        raise (NodeAway if saved.resumable else Busy)(text)
    limits = quotas.effective(user)
    quotas.refuse_over(user, limits)
    made = {name: getattr(saved, name) for name in ("label", "image", "image_digest", "profile", "network")}
    # The file system on the disk is as large as it is.
    columns = quotas.clamped(made | saved.wishes, limits, user) | {"disk": saved.wishes["disk"]}
    here = [room for room in rooms if room.node.pk == saved.node_id]
    request = SandboxRequest(image=saved.image, label=saved.label, terminals=saved.terminals, may_wait=True)
    sandbox = lifecycle.place(user, here, columns, request)
    SavedMachine.objects.filter(pk=saved.pk).update(state=State.RUNNING, sandbox=sandbox, reason="")
    audit.record(user, "saved.resume", saved.id, name=saved.name, sandbox=str(sandbox.id))
    return sandbox


@transaction.atomic
def delete(saved: SavedMachine, by: Any) -> None:
    """Its node deletes the disk in a moment. Raises Busy while a machine has it."""
    saved = SavedMachine.objects.select_for_update(of=("self",)).select_related("node").get(pk=saved.pk)
    if saved.state in (State.SAVING, State.RUNNING):
        raise Busy(_("It is in use. Stop the machine first, then delete it."))
    _mark_deleted(saved, by)


def _mark_deleted(saved: SavedMachine, by: Any, why: str = "") -> None:
    if SavedMachine.objects.filter(pk=saved.pk).exclude(state=State.DELETING).update(state=State.DELETING):
        owner = saved.owner.get_username() if saved.owner else "a deleted account"
        audit.record(by, "saved.delete", saved.id, name=saved.name, label=saved.label, owner=owner, size=saved.size, reason=why)


def expire(saved: SavedMachine, why: str) -> None:
    """The site deletes it by itself: for its age, or with the account."""
    _mark_deleted(saved, None, why)
