"""Asking for a sandbox, keeping it, ending it: what web and command line call. Root's part is in `engine.tasks`."""

from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from engine.errors import BadRequest, Ended, NoNode, OverQuota, SiteFull, UnknownImage
from engine.events import announce
from engine.models import HEARTBEAT_LOST, Node, Sandbox, Terminal
from engine.runtime.errors import InvalidSpec
from engine.runtime.spec import checked_spec

DEFAULT_IDLE, DEFAULT_LIFETIME = 900, 7200  # s
LONGEST = 7 * 24 * 3600  # s
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

    @property
    def needs_preparation(self) -> bool:
        return bool(self.setup or self.files)


def live_nodes() -> list[Node]:
    """Nodes that answer and take new sandboxes, the least busy first."""
    alive = Node.objects.filter(draining=False, heartbeat_at__gt=timezone.now() - HEARTBEAT_LOST)
    used = Count("sandboxes", filter=Q(sandboxes__state__in=Sandbox.LIVE, sandboxes__owner__isnull=False))
    return list(alive.annotate(used=used).order_by("used"))


def resolve(request: SandboxRequest, nodes: list[Node]) -> dict[str, Any]:
    """The Sandbox columns a request comes to, limits checked. Raises UnknownImage or BadRequest."""
    image = next((node.images[request.image] for node in nodes if request.image in node.images), None)
    if image is None:
        known = sorted({name for node in nodes for name in node.images}) or ["none"]
        raise UnknownImage(f"There is no image named {request.image!r}. Images here: {', '.join(known)}.")
    wished = {name: getattr(request, name) for name in ("memory", "cpus", "pids", "disk")}
    limits = image["limits"] | {name: value for name, value in wished.items() if value is not None}
    idle, lifetime = request.idle or DEFAULT_IDLE, request.deadline or DEFAULT_LIFETIME
    if not (0 < idle <= LONGEST and 0 < lifetime <= LONGEST):
        raise BadRequest("Idle time and deadline must be between a second and seven days.")
    if len(request.files) > FILES_MAX:
        raise BadRequest("The lab's files are over 8 MiB together. Put large files into an image.")
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

    It comes back `running`, or `creating` with its steps announced on its Channels group.
    """
    nodes = live_nodes()
    if not nodes:
        raise NoNode("No engine answers, so no machine can start. Try again in a minute; if it stays so, tell your instructor.")
    columns = resolve(request, nodes)
    with transaction.atomic():
        # One request of a user at a time: the lock is on the user's row (SQLite serialises writers by itself).
        get_user_model().objects.select_for_update().get(pk=user.pk)
        _refuse_over_quota(user)
        return _claim(user, nodes, columns, request) or _create(user, nodes, columns, request)


def _refuse_over_quota(user: Any) -> None:
    mine = Sandbox.objects.filter(owner=user, state__in=Sandbox.LIVE).exclude(state=Sandbox.State.STOPPING)
    running = [sandbox.label or sandbox.image for sandbox in mine]
    most = settings.MAX_SANDBOXES_PER_USER
    if len(running) >= most:
        raise OverQuota(f"You may run {most} machines at once, and these run now: {', '.join(running)}. Stop one, then start this one.")


def _claim(user: Any, nodes: list[Node], columns: dict[str, Any], request: SandboxRequest) -> Sandbox | None:
    """Take a warm sandbox that is exactly what is asked for. The UPDATE's condition makes it one claimer's alone."""
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
            started_at=now,
            last_activity_at=now,
            claim="",
        )
        if taken:
            sandbox = Sandbox.objects.select_related("node").get(id=sandbox_id)
            if request.needs_preparation:
                _send(sandbox, "prepare_sandbox")
            _send(sandbox, "fill_pool")
            return sandbox
    return None


def _create(user: Any, nodes: list[Node], columns: dict[str, Any], request: SandboxRequest) -> Sandbox:
    node = next((node for node in nodes if getattr(node, "used", 0) < node.max_sandboxes and request.image in node.images), None)
    if node is None:
        raise SiteFull(
            "All machines of this site are taken. One is freed as soon as somebody stops or leaves theirs; try again in a minute."
        )
    sandbox = Sandbox.objects.create(node=node, owner=user, setup=request.setup, files=request.files, **columns)
    Terminal.objects.bulk_create(Terminal(sandbox=sandbox, number=number + 1) for number in range(request.terminals))
    _send(sandbox, "create_sandbox")
    return sandbox


def _send(sandbox: Sandbox, task: str) -> None:
    """Queue a task of `engine.tasks` on the sandbox's node once this transaction is committed. It carries the id only."""
    arguments = [] if task == "fill_pool" else [sandbox.id.hex]
    queue = sandbox.node.queue
    transaction.on_commit(lambda: current_app.send_task(f"engine.tasks.{task}", args=arguments, queue=queue))


def stop_sandbox(sandbox: Sandbox, reason: str = "user", by: Any = None, detail: str = "") -> None:
    """End it: its owner sees the reason at once, its node removes it. No error if it is ending or has ended."""
    with transaction.atomic():
        ended = Sandbox.objects.filter(
            id=sandbox.id, state__in=(Sandbox.State.CREATING, Sandbox.State.READY, Sandbox.State.RUNNING)
        ).update(state=Sandbox.State.STOPPING, end_reason=reason, end_detail=detail, ended_by=by, ended_at=timezone.now())
        if ended:
            _send(sandbox, "destroy_sandbox")
    sandbox.refresh_from_db()
    if ended:
        announce(sandbox)


def keep_sandbox(sandbox: Sandbox) -> None:
    """Start its idle clock again. Raises Ended."""
    kept = Sandbox.objects.filter(id=sandbox.id, state=Sandbox.State.RUNNING).update(last_activity_at=timezone.now(), warned="")
    sandbox.refresh_from_db()
    if not kept:
        raise Ended("It has ended already. Start a fresh one.")
    announce(sandbox)
