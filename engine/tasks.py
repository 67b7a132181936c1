"""What the engine worker does, as root. A task carries an id, never a command or a configuration: the worker reads the row.

Each task first claims its row with one UPDATE, so a message delivered twice is done once; `reconcile` gives up the claims of a worker that
was killed.
"""

import contextlib
import os
import threading
import time
from typing import Any
from uuid import UUID, uuid4

import psutil
import structlog
from celery import current_app, shared_task
from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from engine import clock, executions, limits, pressure, reconciling, sampling, saved_disks, terminals, usage, waiting
from engine.describe import pending_end
from engine.dispatch import send, send_to
from engine.events import announce
from engine.gateway.ledger import ledger_of
from engine.gateway.segments import memory_of
from engine.host import this_host
from engine.lifecycle import stop_sandbox
from engine.models import HEARTBEAT_LOST, Execution, Node, Sandbox, Terminal
from engine.pool import outdated, wanted
from engine.preparation import prepare
from engine.preview import listening
from engine.runtime import sandbox as runtime
from engine.runtime.errors import NoSuchSandbox, SandboxError
from engine.runtime.host import Host
from engine.runtime.spec import Limits, SandboxSpec

log = structlog.get_logger(__name__)
# Made when the worker starts and shared by the processes it forks: tells its claims from those of a worker that was killed.
GENERATION = uuid4().hex[:8]
State, Reason = Sandbox.State, Sandbox.Reason
QUIET = 0.2  # s
HEARTBEAT_EVERY = 5.0  # s
MOST_CGROUPS = 300  # a Docker Engine with a hundred containers has some 200; version 1 of cgroups cannot bound them


def _claimed(sandbox_id: str, state: str, task: str) -> Sandbox | None:
    """The row, if it is in `state` and no task works on it; from now on this one does, until it lets go."""
    mine = {"claim": f"{task}:{GENERATION}:{os.getpid()}", "claimed_at": timezone.now()}
    rows = Sandbox.objects.filter(id=sandbox_id, state=state)
    if not rows.filter(claim="").update(**mine):
        # Redelivered, because the process that had it was killed: then this one begins afresh.
        before = rows.values_list("claim", flat=True).first()
        if not before or not _was_killed(before) or not rows.filter(claim=before).update(steps=[], **mine):
            return None
        if task == "create":
            runtime.destroy(this_host(), UUID(sandbox_id).hex)
    return Sandbox.objects.select_related("node", "owner").get(id=sandbox_id)


def _was_killed(claim: str) -> bool:
    """Whether the claim is a process's of this worker that is there no more. Those of other workers are `resume`'s."""
    _, _, rest = claim.partition(":")
    generation, _, pid = rest.partition(":")
    if generation != GENERATION or not pid.isdigit():
        return False
    try:
        return psutil.Process(int(pid)).ppid() != os.getppid()
    except psutil.NoSuchProcess:
        return True


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


class Steps:
    """The steps of a start, as its page shows them. One that is over in a moment shows none: they go out from QUIET seconds on.

    A context manager, called with each step. The row has them all once the start has ended.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._shown = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(QUIET, self._show)

    def __enter__(self) -> "Steps":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:  # it may have begun
            self._shown = False

    def __call__(self, name: str, label: str) -> None:
        with self._lock:
            self.sandbox.steps.append({"name": name, "label": label, "at": time.time()})
            if self._shown:
                self._write()

    def _show(self) -> None:
        try:
            with self._lock:
                if not self._timer.finished.is_set():
                    self._shown = True
                    self._write()
        finally:
            connection.close()  # this thread's own

    def _write(self) -> None:
        Sandbox.objects.filter(id=self.sandbox.id).update(steps=self.sandbox.steps)
        if self.sandbox.owner_id is not None:
            announce(self.sandbox)


def _still_wanted(sandbox: Sandbox) -> bool:
    return Sandbox.objects.filter(id=sandbox.id, state=State.CREATING).exists()


def _made(sandbox: Sandbox) -> None:
    """Put it into its owner's hands, or into the pool; if it was stopped meanwhile, now is the time to remove it."""
    now = timezone.now()
    outcome = {"state": State.READY, "started_at": None} if sandbox.owner_id is None else {"state": State.RUNNING, "started_at": now}
    let_go = {"claim": "", "steps": sandbox.steps}
    listening.look(this_host(), sandbox)  # a set-up may have started a server
    rows = Sandbox.objects.filter(id=sandbox.id)
    if not rows.filter(state=State.CREATING).update(last_activity_at=now, **outcome, **let_go):
        rows.update(**let_go)
        send(sandbox, "destroy_sandbox")
    announce(sandbox)
    # A rule that was changed while it was being made found no machine to change.
    if sandbox.owner_id is not None and any(getattr(sandbox, name) != value for name, value in limits.wanted(sandbox).items()):
        send(sandbox, "apply_limits")


def _failed(sandbox: Sandbox, error: Exception) -> None:
    """It could not be made: its owner hears why, and what there is of it is removed."""
    expected = isinstance(error, (SandboxError, OSError))
    log.warning("sandbox.failed", sandbox=sandbox.id.hex, error=str(error), exc_info=None if expected else error)
    with transaction.atomic():
        saved_disks.refused(sandbox, error)
        Sandbox.objects.filter(id=sandbox.id).update(claim="", steps=sandbox.steps)
        stop_sandbox(sandbox, Reason.FAILED, detail=str(error))
        send(sandbox, "destroy_sandbox")  # also if it was being stopped already, and that task found it claimed
    announce(sandbox)


@shared_task
def create_sandbox(sandbox_id: str) -> None:
    """Make the sandbox of the row; then it is its owner's, or a warm one."""
    sandbox = _claimed(sandbox_id, State.CREATING, "create")
    if sandbox is None:
        return
    with structlog.contextvars.bound_contextvars(sandbox=sandbox.id.hex, owner=sandbox.owner_id, node=settings.NODE):
        begun = time.monotonic()
        try:
            with Steps(sandbox) as progress:
                runtime.create(this_host(), spec_of(sandbox), progress, resumed=saved_disks.resumed_from(sandbox))
                if sandbox.owner_id is not None and _still_wanted(sandbox):
                    prepare(this_host(), sandbox, progress)
        except Exception as error:  # whatever it was, its owner must not wait for ever
            _failed(sandbox, error)
        else:
            _made(sandbox)
            log.info("sandbox.created", seconds=round(time.monotonic() - begun, 3))


@shared_task
def prepare_sandbox(sandbox_id: str) -> None:
    """Unpack the lab's files in a claimed warm sandbox and run its set-up."""
    sandbox = _claimed(sandbox_id, State.CREATING, "prepare")
    if sandbox is None:
        return
    try:
        with Steps(sandbox) as progress:
            prepare(this_host(), sandbox, progress)
    except Exception as error:
        _failed(sandbox, error)
    else:
        _made(sandbox)


@shared_task
def destroy_sandbox(sandbox_id: str) -> None:
    """Remove every trace of a stopping sandbox."""
    sandbox = _claimed(sandbox_id, State.STOPPING, "destroy")
    if sandbox is None:
        making = Sandbox.objects.filter(id=sandbox_id, state=State.STOPPING).exclude(claim="").exclude(claim__startswith="destroy")
        if making.exists():  # a set-up may take minutes: without its machine it ends now, and then lets go of the row
            runtime.kill(this_host(), UUID(sandbox_id).hex)
        return
    try:
        saved_disks.remove_sandbox(this_host(), sandbox.id.hex)
    except Exception:
        # The row stays `stopping`, and reconcile tries again.
        log.exception("sandbox.not_removed", sandbox=sandbox.id.hex)
        Sandbox.objects.filter(id=sandbox.id).update(claim="")
        return
    for terminal in sandbox.terminals.all():
        memory_of(terminal.id).unlink(missing_ok=True)
        ledger_of(terminal.id).unlink(missing_ok=True)
    state = State.FAILED if sandbox.end_reason == Reason.FAILED else State.STOPPED
    Sandbox.objects.filter(id=sandbox.id).update(state=state, claim="", setup="", files=b"")
    log.info("sandbox.removed", sandbox=sandbox.id.hex, reason=sandbox.end_reason)
    announce(sandbox)
    waiting.admit()


@shared_task(bind=True, max_retries=40)
def apply_limits(self: Any, sandbox_id: str) -> None:
    """A quota changed: bring a running sandbox to it. One that is still being made was begun with the old one, and is looked at again."""
    sandbox = Sandbox.objects.select_related("owner").get(id=sandbox_id)
    if sandbox.state == State.CREATING:
        raise self.retry(countdown=5)
    if sandbox.state == State.RUNNING and sandbox.owner is not None and runtime.alive(this_host(), sandbox.id.hex):
        limits.apply(this_host(), sandbox)


@shared_task
def change_terminal(terminal_id: str) -> None:
    """Open, restart or close a terminal, as its row says."""
    terminal = Terminal.objects.select_related("sandbox").filter(id=terminal_id).first()
    if terminal is not None and terminal.sandbox.state == State.RUNNING:
        terminals.carry_out(this_host(), terminal)


@shared_task
def start_execution(execution_id: str) -> None:
    """Prepare a streamed command; its client attaches and sets it off."""
    execution = Execution.objects.select_related("sandbox").get(id=execution_id)
    try:
        executions.make_room(this_host(), execution)
        runtime.open_command(this_host(), execution.sandbox.id.hex, execution.id.hex, tuple(execution.argv))
    except (SandboxError, OSError) as error:
        Execution.objects.filter(id=execution_id).update(state=Execution.State.FAILED, error=str(error))
        return
    Execution.objects.filter(id=execution_id).update(state=Execution.State.READY)


@shared_task
def end_execution(execution_id: str) -> None:
    """Its client has gone: remove what the host has of a streamed command."""
    for execution in Execution.objects.select_related("sandbox").filter(id=execution_id):
        executions.end(this_host(), execution)


@shared_task
def share_logs(sandbox_id: str) -> None:
    """The gateway has come to the end of a terminal's log, and conmon's next one is not its to read."""
    with contextlib.suppress(NoSuchSandbox, FileNotFoundError):  # it has ended meanwhile
        runtime.share_logs(this_host(), UUID(sandbox_id).hex)


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
            send(sandbox, "create_sandbox")


@shared_task
def tick() -> None:
    """Sent by beat: each node tends its own sandboxes; rows of nodes that do not answer are ended here."""
    if moved := clock.jump(f"{settings.NODE}.tick"):
        log.warning("clock.jumped", seconds=moved.total_seconds())
        clock.move_others(moved, but=settings.NODE)
    for sandbox in waiting.absent():
        stop_sandbox(sandbox, Reason.IDLE)
    for node in Node.objects.all():
        tend.apply_async(queue=node.tending_queue, expires=5)
        # Whoever runs this is a worker of this node: it lives, though it may not have written so yet after a long stop.
        if not node.alive and node.name != settings.NODE:
            reconciling.give_up_node(node)
    sampling.sample_if_due()


@shared_task
def tend() -> None:
    """End what is idle, over its time or dead; every minute compare host and database."""
    host = this_host()
    node = reconciling.heartbeat(settings.NODE, host)
    if moved := clock.jump(f"{node.name}.tend"):
        clock.move_sandboxes(node, moved)
    offset = clock.offset()
    limits.keep_to_hours(node)
    for sandbox in Sandbox.objects.filter(node=node, state=State.RUNNING).select_related("node"):
        if abs(clock.offset() - offset) > clock.JUMP:
            return  # the clock was set just now: next time all are moved along with it
        try:
            _tend_one(host, sandbox)
        except (SandboxError, OSError, ValueError):  # it goes at this moment, or its root has made something odd of it: the others count
            log.exception("sandbox.not_tended", sandbox=sandbox.id.hex)
    reconciling.send_again(node)
    reconciling.reconcile_if_due(node, host)
    usage.note(node, host)
    saved_disks.tend(node, host)
    waiting.admit()
    fill_pool.apply_async(queue=node.queue, expires=5)


@shared_task
def find_ports(everywhere: bool = False) -> None:
    """Sent by beat: look what this node's sandboxes listen on, and let the other nodes do the same."""
    for node in Node.objects.all():
        if node.name == settings.NODE:
            listening.look_at_all(node, this_host())
        elif everywhere and node.alive:
            find_ports.apply_async(queue=node.tending_queue, expires=2)


def _tend_one(host: Host, sandbox: Sandbox) -> None:
    if not runtime.alive(host, sandbox.id.hex):
        reason, detail = pressure.why_it_died(host, sandbox)
        stop_sandbox(sandbox, reason, detail=detail)
        return
    groups = runtime.child_cgroups(host, sandbox.id.hex)
    if groups > MOST_CGROUPS:
        detail = f"It had {groups} control groups, and a machine may have {MOST_CGROUPS}: each takes memory of the host. Start a fresh one."
        stop_sandbox(sandbox, Reason.QUOTA, detail=detail)
        return
    clock.no_later_than_now(sandbox)
    with contextlib.suppress(SandboxError, OSError):  # a terminal that ends at this moment
        runtime.share_logs(host, sandbox.id.hex)
    for terminal in terminals.late(sandbox):
        terminals.carry_out(host, terminal)
    found = pressure.look(host, sandbox)
    notices = found.notices + _mended_terminals(host, sandbox)
    if notices and pressure.tell(sandbox, notices):
        announce(sandbox)
    reconciling.note_activity(host, sandbox, works=found.works)
    now = timezone.now()
    if now >= sandbox.deadline_at:
        stop_sandbox(sandbox, Reason.DEADLINE)
    elif now >= sandbox.idle_ends_at:
        stop_sandbox(sandbox, Reason.IDLE)
    elif (warning := pending_end(sandbox)) != sandbox.warned:
        Sandbox.objects.filter(id=sandbox.id).update(warned=warning)
        announce(sandbox)


def _mended_terminals(host: Host, sandbox: Sandbox) -> tuple[dict[str, Any], ...]:
    """Bring back terminals whose conmon was killed; pages reconnect to them by themselves."""
    try:
        lost = runtime.reopen_lost_terminals(host, sandbox.id.hex)
    except (SandboxError, OSError) as error:  # it is being stopped, or is short of processes: looked at again in a moment
        log.warning("terminal.not_reopened", sandbox=sandbox.id.hex, error=str(error))
        return ()
    return (pressure.terminals_notice(lost),) if lost else ()


_ending = threading.Event()


@worker_ready.connect
def begin(**_: Any) -> None:
    """At worker start: mend what the last worker left half-done, then fill the pool. As tasks, so that they run in the pool."""
    queue = current_app.conf.task_default_queue
    current_app.send_task("engine.tasks.resume", queue=queue)
    threading.Thread(target=_say_alive, name="heartbeat", daemon=True).start()


def _say_alive() -> None:
    """In the worker's own process: it lives, however long its pool is busy with set-ups."""
    while not _ending.wait(HEARTBEAT_EVERY):
        try:
            Node.objects.filter(name=settings.NODE).update(heartbeat_at=timezone.now())
        except DatabaseError as error:
            log.warning("heartbeat.not_written", error=str(error))
        finally:
            connection.close()


@worker_shutdown.connect
def end(**_: Any) -> None:
    """Say that this node lives no more, so that /healthz does not go by a heartbeat that is still fresh."""
    _ending.set()
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
        send_to(node, task[State(sandbox.state)], sandbox.id.hex)
    reconciling.reconcile(node, host)
    send_to(node, "fill_pool")
