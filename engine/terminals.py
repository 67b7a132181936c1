"""Opening, naming, restarting and closing the terminals of a running sandbox. The web writes what is wanted; the node's worker does it."""

import contextlib

import redis
import structlog
from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from engine import pressure
from engine.dispatch import node_of, send_to
from engine.errors import BadRequest, Ended, TooFast, TooManyTerminals
from engine.events import announce
from engine.gateway.ledger import ledger_of
from engine.gateway.segments import memory_of
from engine.models import Sandbox, Terminal
from engine.runtime import terminals as runtime
from engine.runtime.errors import SandboxError
from engine.runtime.host import Host
from engine.runtime.spec import MOST_TERMINALS

MOST = MOST_TERMINALS  # as many as a sandbox may begin with
MOST_CHANGES = 60  # a minute: each costs the node a process or two, and a script must not keep others waiting
State = Terminal.State

log = structlog.get_logger(__name__)


def open_one(sandbox: Sandbox, number: int | None = None) -> Terminal:
    """Terminal `number`, or the first number that is free; one that is there is given back. Raises Ended, TooManyTerminals, TooFast."""
    with transaction.atomic():
        _running(sandbox)
        there = {terminal.number: terminal for terminal in sandbox.terminals.all()}
        if number in there:
            return there[number]
        if len(there) >= MOST:
            raise TooManyTerminals(_("A machine has %(count)s terminals at most. Close one, then open another.") % {"count": MOST})
        _not_too_fast(sandbox)
        free = number or next(candidate for candidate in range(1, MOST + 1) if candidate not in there)
        terminal = Terminal.objects.create(sandbox=sandbox, number=free, state=State.OPENING)
        send_to(node_of(sandbox), "change_terminal", terminal.id.hex)
    return terminal


def close(sandbox: Sandbox, terminal: Terminal) -> None:
    """End it and what runs in it. Raises Ended, TooFast, or BadRequest for the last one."""
    with transaction.atomic():
        _running(sandbox)
        if not sandbox.terminals.exclude(id=terminal.id).exclude(state=State.CLOSING).exists():
            raise BadRequest(_("A machine keeps one terminal. Open another one first, or stop the machine."))
        _change(sandbox, terminal, State.CLOSING)
    announce(sandbox)


def restart(sandbox: Sandbox, terminal: Terminal) -> None:
    """A fresh shell where the last one has exited; nothing happens to one that runs. Raises Ended, TooFast."""
    with transaction.atomic():
        _running(sandbox)
        _change(sandbox, terminal, State.RESTARTING)


def rename(sandbox: Sandbox, terminal: Terminal, title: str) -> None:
    """Call it `title`; empty: by its number."""
    Terminal.objects.filter(id=terminal.id).update(title=title)
    announce(sandbox)


def _running(sandbox: Sandbox) -> None:
    """Lock the row. Raises Ended."""
    if Sandbox.objects.select_for_update().values_list("state", flat=True).get(id=sandbox.id) != Sandbox.State.RUNNING:
        raise Ended(_("It has ended already. Start a fresh one."))


def _not_too_fast(sandbox: Sandbox) -> None:
    """Raises TooFast. Without Redis nothing is counted, and nothing is opened either."""
    key = f"terminals.{sandbox.id.hex}"
    with contextlib.suppress(redis.RedisError, OSError, ValueError):  # ValueError: the minute ended between the two
        cache.add(key, 0, timeout=60)
        if cache.incr(key) > MOST_CHANGES:
            raise TooFast(_("Terminals of a machine change %(count)s times a minute at most. Wait a moment.") % {"count": MOST_CHANGES})


def _change(sandbox: Sandbox, terminal: Terminal, state: str) -> None:
    _not_too_fast(sandbox)
    if Terminal.objects.filter(id=terminal.id).exclude(state=State.CLOSING).update(state=state):
        send_to(node_of(sandbox), "change_terminal", terminal.id.hex)


def carry_out(host: Host, terminal: Terminal) -> None:
    """What the row wants, on its node. Harmless when it is done already."""
    sandbox, row = terminal.sandbox, Terminal.objects.filter(id=terminal.id, state=terminal.state)
    try:
        match terminal.state:
            case State.OPENING:
                runtime.ensure(host, sandbox.id.hex, terminal.number)
                row.update(state=State.OPEN)
            case State.RESTARTING:
                runtime.restart(host, sandbox.id.hex, terminal.number)
                row.update(state=State.OPEN, shell=F("shell") + 1)
            case State.CLOSING:
                runtime.close(host, sandbox.id.hex, terminal.number)
                memory_of(terminal.id).unlink(missing_ok=True)
                ledger_of(terminal.id).unlink(missing_ok=True)
                row.delete()
    except (SandboxError, OSError) as error:
        log.warning("terminal.not_changed", sandbox=sandbox.id.hex, number=terminal.number, state=terminal.state, error=str(error))
        if terminal.state == State.CLOSING:
            return  # looked at again by `late`
        if terminal.state == State.OPENING:
            row.delete()
        else:
            row.update(state=State.OPEN)
        pressure.tell(sandbox, (pressure.terminal_refused(terminal.number),))
    announce(sandbox)


def late(sandbox: Sandbox) -> list[Terminal]:
    """Those whose change nobody has carried out: its message was lost, or its worker killed. Too early is harmless."""
    return list(sandbox.terminals.exclude(state=State.OPEN))
