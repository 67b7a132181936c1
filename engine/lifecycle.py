"""Asking for a sandbox, keeping it, ending it: what web and command line call. Root's part is in `engine.tasks`."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from engine import audit, placement, quotas, waiting
from engine.dispatch import node_of, send, send_to
from engine.errors import BadRequest, Draining, Ended, NoNode, SiteFull, UnknownImage
from engine.events import announce
from engine.models import Node, Sandbox, Terminal
from engine.quotas import LONGEST
from engine.runtime.errors import InvalidSpec
from engine.runtime.spec import checked_spec, format_size

DEFAULT_IDLE, DEFAULT_LIFETIME = 900, 7200  # s
FILES_MAX = 8 << 20  # bytes


@dataclass(frozen=True)
class SandboxRequest:
    """What is asked for; None takes the image's default. memory and disk in bytes, idle and deadline in seconds."""

    image: str
    profile: str | None = None
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    disk: int | None = None
    idle: int | None = None
    deadline: int | None = None
    network: str | None = None
    terminals: int = 1
    setup: str = ""
    files: bytes = b""  # a tar, unpacked at /
    label: str = ""
    may_wait: bool = False  # when every node is full, stand in line instead of being refused

    @property
    def needs_preparation(self) -> bool:
        return bool(self.setup or self.files)


def resolve(request: SandboxRequest, nodes: list[Node]) -> dict[str, Any]:
    """The Sandbox columns a request comes to, limits checked. Raises UnknownImage or BadRequest."""
    image = next((node.images[request.image] for node in nodes if request.image in node.images), None)
    if image is None:
        known = sorted({name for node in nodes for name in node.images}) or ["none"]
        text = _("There is no image named %(image)s. Images here: %(known)s.")
        raise UnknownImage(text % {"image": repr(request.image), "known": ", ".join(known)})
    wished = {name: getattr(request, name) for name in ("memory", "cpus", "pids", "disk")}
    limits = image["limits"] | {name: value for name, value in wished.items() if value is not None}
    idle, lifetime = request.idle or DEFAULT_IDLE, request.deadline or DEFAULT_LIFETIME
    if not (0 < idle <= LONGEST and 0 < lifetime <= LONGEST):
        raise BadRequest(_("Idle time and deadline must be between a second and seven days."))
    if len(request.files) > FILES_MAX:
        raise BadRequest(_("The lab's files are over 8 MiB together. Put large files into an image."))
    try:
        spec = checked_spec(
            id="0" * 32,
            image=request.image,
            profile=request.profile or image["profile"],
            limits=limits,
            network=request.network or "lab",
            terminals=request.terminals,
        )
    except InvalidSpec as error:
        raise BadRequest(str(error)) from error
    return {
        "image": spec.image,
        "image_digest": image["digest"],
        "profile": spec.profile,
        "network": spec.network,
        "idle_seconds": idle,
        "lifetime_seconds": lifetime,
        "label": request.label,
        **spec.limits.model_dump(),
    }


def request_sandbox(user: Any, request: SandboxRequest) -> Sandbox:
    """Claim a warm sandbox for `user`, or make one. Raises a child of Refused.

    It comes back `running`, or `creating` with its steps announced on its Channels group, or `queued` where it may wait.
    """
    with transaction.atomic():
        # One request of a user at a time: the lock is on the user's row (SQLite serialises writers by itself).
        get_user_model().objects.select_for_update().get(pk=user.pk)
        rooms = placement.rooms(lock=True)
        if not rooms:
            raise _no_node()
        columns = resolve(request, [room.node for room in rooms])
        limits = quotas.effective(user)
        quotas.refuse_over(user, limits)
        columns = quotas.clamped(columns, limits, user)
        if request.may_wait and waiting.anyone():
            return _queue(user, rooms, columns, request)
        return _claim(user, rooms, columns, request) or _create(user, rooms, columns, request)


def place(user: Any, rooms: list[placement.Room], columns: dict[str, Any], request: SandboxRequest) -> Sandbox:
    """A sandbox with these columns, made anew on one of the rooms, or in the line. Call it in a transaction that holds the nodes' lock."""
    make = _queue if request.may_wait and waiting.anyone() else _create
    return make(user, rooms, columns, request)


def _claim(user: Any, rooms: list[placement.Room], columns: dict[str, Any], request: SandboxRequest) -> Sandbox | None:
    """Take a warm sandbox that is exactly what is asked for. The UPDATE's condition makes it one claimer's alone."""
    nodes = [room.node for room in rooms if room.fits(columns["memory"], columns["cpus"])]
    same = ("image", "image_digest", "profile", "network", "memory", "cpus", "pids", "disk")
    warm = Sandbox.objects.filter(state=Sandbox.State.READY, node__in=nodes, **{name: columns[name] for name in same})
    candidates = warm.annotate(opened=Count("terminals")).filter(opened=request.terminals).order_by("created_at")
    now = timezone.now()
    for sandbox_id in candidates.values_list("id", flat=True)[:20]:
        state = Sandbox.State.CREATING if request.needs_preparation else Sandbox.State.RUNNING
        taken = Sandbox.objects.filter(id=sandbox_id, state=Sandbox.State.READY).update(
            state=state,
            owner=user,
            label=request.label,
            setup=request.setup,
            files=request.files,
            idle_seconds=columns["idle_seconds"],
            lifetime_seconds=columns["lifetime_seconds"],
            asked=columns["asked"],
            started_at=now,
            last_activity_at=now,
            claim="",
        )
        if taken:
            sandbox = Sandbox.objects.select_related("node").get(id=sandbox_id)
            if request.needs_preparation:
                send(sandbox, "prepare_sandbox")
            send_to(node_of(sandbox), "fill_pool")
            audit.record(user, "sandbox.start", sandbox.id, **waiting.started(sandbox), warm=True)
            return sandbox
    return None


def _create(user: Any, rooms: list[placement.Room], columns: dict[str, Any], request: SandboxRequest) -> Sandbox:
    room = placement.choose(rooms, request.image, columns["memory"], columns["cpus"])
    if room is None and request.may_wait:
        return _queue(user, rooms, columns, request)
    if room is None:
        raise SiteFull(
            _("All machines of this site are taken. One is freed as soon as somebody stops or leaves theirs; try again in a minute.")
        )
    sandbox = _row(user, columns, request, node=room.node)
    send(sandbox, "create_sandbox")
    audit.record(user, "sandbox.start", sandbox.id, **waiting.started(sandbox))
    return sandbox


def _no_node() -> NoNode:
    """Why no node takes it: they are being drained, or none answers."""
    if any(node.alive for node in Node.objects.filter(draining=True)):
        return Draining(_("This site is being maintained: machines that run go on. Try again in a few minutes."))
    return NoNode(_("No engine answers, so no machine can start. Try again in a minute; if it stays so, tell your instructor."))


def _queue(user: Any, rooms: list[placement.Room], columns: dict[str, Any], request: SandboxRequest) -> Sandbox:
    """Put it into the line. Raises SiteFull where that is too long, or where no wait would help."""
    if not placement.possible(rooms, request.image, columns["memory"], columns["cpus"]):
        text = _("No node of this site may hold a machine with %(memory)s of memory and %(cpus)s CPUs, not even an empty one. ")
        wish = {"memory": format_size(columns["memory"]), "cpus": f"{columns['cpus']:g}"}
        raise SiteFull(text % wish + _("Tell your instructor."))
    waiting.refuse_if_too_long()
    sandbox = _row(user, columns, request, state=Sandbox.State.QUEUED, queued_at=timezone.now())
    audit.record(user, "sandbox.queue", sandbox.id, **waiting.started(sandbox))
    # There may be room already, if those ahead of this one have left; and those behind who have a machine move back.
    transaction.on_commit(waiting.admit)
    transaction.on_commit(waiting.announce_line)
    return sandbox


def _row(user: Any, columns: dict[str, Any], request: SandboxRequest, **more: Any) -> Sandbox:
    sandbox: Sandbox = Sandbox.objects.create(owner=user, setup=request.setup, files=request.files, **columns, **more)
    Terminal.objects.bulk_create(Terminal(sandbox=sandbox, number=number + 1) for number in range(request.terminals))
    return sandbox


def stop_sandbox(sandbox: Sandbox, reason: str = "user", by: Any = None, detail: str = "") -> None:
    """End it: its owner sees the reason at once, its node removes it. No error if it is ending or has ended."""
    end = {"end_reason": reason, "end_detail": detail, "ended_by": by, "ended_at": timezone.now()}
    begun = (Sandbox.State.CREATING, Sandbox.State.READY, Sandbox.State.RUNNING)
    with transaction.atomic():
        # Who only waits has nothing to be removed.
        left = Sandbox.objects.filter(id=sandbox.id, state=Sandbox.State.QUEUED).update(
            state=Sandbox.State.STOPPED, setup="", files=b"", **end
        )
        ended = left or Sandbox.objects.filter(id=sandbox.id, state__in=begun).update(state=Sandbox.State.STOPPING, **end)
        sandbox.refresh_from_db()
        if ended and not left:
            send(sandbox, "destroy_sandbox")
        if ended and sandbox.owner is not None:
            owner = sandbox.owner.get_username()
            audit.record(by, "sandbox.end", sandbox.id, reason=reason, detail=detail, owner=owner, label=sandbox.label, waited=bool(left))
    if ended:
        announce(sandbox)
    if left:
        waiting.admit()
        waiting.announce_line()


def keep_sandbox(sandbox: Sandbox) -> None:
    """Start its idle clock again. Raises Ended."""
    kept = Sandbox.objects.filter(id=sandbox.id, state=Sandbox.State.RUNNING).update(last_activity_at=timezone.now(), warned="")
    sandbox.refresh_from_db()
    if not kept:
        raise Ended(_("It has ended already. Start a fresh one."))
    announce(sandbox)
