"""Sending tasks to the engine worker of a node."""

import structlog
from asgiref.sync import sync_to_async
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from engine.models import Node, Sandbox

log = structlog.get_logger(__name__)


def send(sandbox: Sandbox, task: str) -> None:
    """Queue a task of `engine.tasks` on the sandbox's node once this transaction is committed. It carries the id only."""
    send_to(node_of(sandbox), task, sandbox.id.hex)


def node_of(sandbox: Sandbox) -> Node:
    """Raises ValueError while it waits for one."""
    if sandbox.node is None:
        raise ValueError(f"sandbox {sandbox.id} has no node yet")
    return sandbox.node


def send_to(node: Node, task: str, *arguments: str, tending: bool = False) -> None:
    """The same for a task that is about the node, or about something else than a sandbox: ids only. `tending`: before the starts that wait.

    Without Redis it is not sent: the rows are written, and the node's worker sends again what nobody has begun.
    """
    queue = node.tending_queue if tending else node.queue

    def queued() -> None:
        try:
            current_app.send_task(f"engine.tasks.{task}", args=list(arguments), queue=queue)
        except OperationalError as error:
            log.warning("task.not_sent", task=task, arguments=arguments, error=str(error))

    transaction.on_commit(queued)


@sync_to_async
def ask_for_logs(sandbox: Sandbox) -> None:
    """From a coroutine: let the gateway read the sandbox's logs. A terminal waits for it, and must not wait for machines that are made."""
    send_to(node_of(sandbox), "share_logs", sandbox.id.hex, tending=True)
