"""What the engine worker does, as root. A task carries an id, never a command or a configuration: the worker reads the row.

Each task first claims its row with one UPDATE, so a message delivered twice is done once; `reconcile` gives up the claims of a worker that
was killed.
"""

import contextlib
import time
from functools import partial
from typing import Any
from uuid import uuid4

import structlog
from celery import current_app, shared_task
from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from engine import reconciling
from engine.describe import pending_end
from engine.events import announce
from engine.gateway.segments import memory_of
from engine.host import this_host
from engine.lifecycle import stop_sandbox
from engine.models import HEARTBEAT_LOST, Execution, Node, Sandbox, Terminal
from engine.pool import outdated, wanted
from engine.preparation import prepare
from engine.runtime import sandbox as runtime
from engine.runtime.errors import SandboxError
from engine.runtime.host import Host
from engine.runtime.spec import Limits, SandboxSpec

log = structlog.get_logger(__name__)
# Made when the worker starts and shared by the processes it forks: tells its claims from those of a worker that was killed.
GENERATION = uuid4().hex[:8]
State, Reason = Sandbox.State, Sandbox.Reason


def _claimed(sandbox_id: str, state: str, task: str) -> Sandbox | None:
    """The row, if it is in `state` and no task works on it; from now on this one does, until `_release`."""
    mine = Sandbox.objects.filter(id=sandbox_id, state=state, claim="").update(claim=f"{task}:{GENERATION}")
    return Sandbox.objects.select_related("node", "owner").get(id=sandbox_id) if mine else None


def spec_of(sandbox: Sandbox) -> SandboxSpec:
    """The runtime's spec of a row, checked again on this side. Raises InvalidSpec's pydantic cause."""
    return SandboxSpec(
        id=sandbox.id.hex,
        image=sandbox.image,
        profile=sandbox.profile,  # type: ignore[arg-type]  # pydantic checks it
        limits=Limits(memory=sandbox.memory, cpus=sandbox.cpus, pids=sandbox.pids, disk=sandbox.disk),
        network=sandbox.network,  # type: ignore[arg-type]
        terminals=sandbox.terminals.count(),
    )


def _progress(sandbox: Sandbox, name: str, label: str) -> None:
    """Note a step and tell the page."""
    sandbox.steps.append({"name": name, "label": label, "at": time.time()})
    Sandbox.objects.filter(id=sandbox.id).update(steps=sandbox.steps)
    if sandbox.owner_id is not None:
        announce(sandbox)


def _release(sandbox: Sandbox) -> None:
    """Let go of the row; if it was stopped meanwhile, now is the time to remove it."""
    Sandbox.objects.filter(id=sandbox.id).update(claim="")
    if Sandbox.objects.filter(id=sandbox.id, state=State.STOPPING).exists():
        destroy_sandbox.apply_async((sandbox.id.hex,), queue=sandbox.node.queue)
    announce(sandbox)


@shared_task
def create_sandbox(sandbox_id: str) -> None:
    """Make the sandbox of the row; then it is its owner's, or a warm one."""
    sandbox = _claimed(sandbox_id, State.CREATING, "create")
    if sandbox is None:
        return
    with structlog.contextvars.bound_contextvars(sandbox=sandbox.id.hex, owner=sandbox.owner_id, node=sandbox.node.name):
        begun = time.monotonic()
        try:
            runtime.create(this_host(), spec_of(sandbox), lambda name, label: _progress(sandbox, name, label))
            if sandbox.owner_id is not None:
                prepare(this_host(), sandbox, lambda name, label: _progress(sandbox, name, label))
        except (SandboxError, OSError, ValueError) as error:
            log.warning("sandbox.failed", error=str(error))
            stop_sandbox(sandbox, Reason.FAILED, detail=str(error))
        else:
            _made(sandbox, State.READY if sandbox.owner_id is None else State.RUNNING)
            log.info("sandbox.created", seconds=round(time.monotonic() - begun, 3))
    _release(sandbox)


def _made(sandbox: Sandbox, state: str) -> None:
    """Put it into its owner's hands, or into the pool; unless it was stopped meanwhile."""
    now = timezone.now()
    started_at = None if state == State.READY else now
    Sandbox.objects.filter(id=sandbox.id, state=State.CREATING).update(state=state, started_at=started_at, last_activity_at=now)


@shared_task
def prepare_sandbox(sandbox_id: str) -> None:
    """Unpack the lab's files in a claimed warm sandbox and run its set-up."""
    sandbox = _claimed(sandbox_id, State.CREATING, "prepare")
    if sandbox is None:
        return
    try:
        prepare(this_host(), sandbox, lambda name, label: _progress(sandbox, name, label))
    except (SandboxError, OSError) as error:
        log.warning("sandbox.failed", sandbox=sandbox.id.hex, error=str(error))
        stop_sandbox(sandbox, Reason.FAILED, detail=str(error))
    else:
        _made(sandbox, State.RUNNING)
    _release(sandbox)


@shared_task
def destroy_sandbox(sandbox_id: str) -> None:
    """Remove every trace of a stopping sandbox."""
    sandbox = _claimed(sandbox_id, State.STOPPING, "destroy")
    if sandbox is None:
        return
    try:
        runtime.destroy(this_host(), sandbox.id.hex)
    except (SandboxError, OSError):
        # The row stays `stopping`, and reconcile tries again.
        log.exception("sandbox.not_removed", sandbox=sandbox.id.hex)
        Sandbox.objects.filter(id=sandbox.id).update(claim="")
        return
    for terminal in sandbox.terminals.all():
        memory_of(terminal.id).unlink(missing_ok=True)
    state = State.FAILED if sandbox.end_reason == Reason.FAILED else State.STOPPED
    Sandbox.objects.filter(id=sandbox.id).update(state=state, claim="", setup="", files=b"")
    log.info("sandbox.removed", sandbox=sandbox.id.hex, reason=sandbox.end_reason)
    announce(sandbox)


@shared_task
def start_execution(execution_id: str) -> None:
    """Prepare a streamed command; its client attaches and sets it off."""
    execution = Execution.objects.select_related("sandbox").get(id=execution_id)
    try:
        runtime.open_command(this_host(), execution.sandbox.id.hex, execution.id.hex, tuple(execution.argv))
    except (SandboxError, OSError) as error:
        Execution.objects.filter(id=execution_id).update(state=Execution.State.FAILED, error=str(error))
        return
    Execution.objects.filter(id=execution_id).update(state=Execution.State.READY)


@shared_task
def fill_pool() -> None:
    """Make what the warm pool of this node lacks, and remove what it has too much of."""
    node = Node.objects.get(name=settings.NODE)
    for sandbox in outdated(node):
        stop_sandbox(sandbox, Reason.EVICTED)
    with transaction.atomic():
        Node.objects.select_for_update().get(pk=node.pk)  # one filler at a time, or the pool overflows
        for columns, terminals in wanted(node):
            sandbox = Sandbox.objects.create(node=node, label="warm pool", **columns)
            Terminal.objects.bulk_create(Terminal(sandbox=sandbox, number=number + 1) for number in range(terminals))
            transaction.on_commit(partial(create_sandbox.apply_async, (sandbox.id.hex,), queue=node.queue))


@shared_task
def tick() -> None:
    """Sent by beat: each node tends its own sandboxes; rows of nodes that do not answer are ended here."""
    for node in Node.objects.all():
        tend.apply_async(queue=node.queue, expires=5)
        if not node.alive:
            reconciling.give_up_node(node)


@shared_task
def tend() -> None:
    """Say that this node lives; end what is idle, over its time or dead; every minute compare host and database."""
    node = reconciling.heartbeat(settings.NODE, this_host())
    host = this_host()
    for sandbox in Sandbox.objects.filter(node=node, state=State.RUNNING).select_related("node"):
        _tend_one(host, sandbox)
    reconciling.reconcile_if_due(node, host)
    fill_pool.apply_async(queue=node.queue, expires=5)


def _tend_one(host: Host, sandbox: Sandbox) -> None:
    if not runtime.alive(host, sandbox.id.hex):
        detail = "Its first process ended, which stops a machine: often that is a lack of memory. Start it again to get a fresh one."
        stop_sandbox(sandbox, Reason.FAILED, detail=detail)
        return
    reconciling.note_output(host, sandbox)
    now = timezone.now()
    if now >= sandbox.deadline_at:
        stop_sandbox(sandbox, Reason.DEADLINE)
    elif now >= sandbox.idle_ends_at:
        stop_sandbox(sandbox, Reason.IDLE)
    elif (warning := pending_end(sandbox)) != sandbox.warned:
        Sandbox.objects.filter(id=sandbox.id).update(warned=warning)
        announce(sandbox)


@worker_ready.connect
def begin(**_: Any) -> None:
    """At worker start: mend what the last worker left half-done, then fill the pool. As tasks, so that they run in the pool."""
    queue = current_app.conf.task_default_queue
    current_app.send_task("engine.tasks.resume", queue=queue)


@worker_shutdown.connect
def end(**_: Any) -> None:
    """Say that this node lives no more, so that /healthz does not go by a heartbeat that is still fresh."""
    Node.objects.filter(name=settings.NODE).update(heartbeat_at=timezone.now() - HEARTBEAT_LOST)


@shared_task
def resume() -> None:
    """Take up what a worker that was killed had begun."""
    host = this_host()
    node = reconciling.heartbeat(settings.NODE, host)
    for sandbox in reconciling.interrupted(node, GENERATION):
        with contextlib.suppress(SandboxError, OSError):  # what will not go is seen by reconcile again, and logged there
            if sandbox.state == State.CREATING and not sandbox.started_at:
                runtime.destroy(host, sandbox.id.hex)
        task = {State.CREATING: "prepare_sandbox" if sandbox.started_at else "create_sandbox", State.STOPPING: "destroy_sandbox"}
        current_app.send_task(f"engine.tasks.{task[State(sandbox.state)]}", args=[sandbox.id.hex], queue=node.queue)
    reconciling.reconcile(node, host)
    fill_pool.apply_async(queue=node.queue)
