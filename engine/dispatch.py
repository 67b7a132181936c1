"""Sending tasks to the engine worker of a node."""

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from engine.models import Sandbox

log = structlog.get_logger(__name__)


def send(sandbox: Sandbox, task: str) -> None:
    """Queue a task of `engine.tasks` on the sandbox's node once this transaction is committed. It carries the id only.

    Without Redis it is not sent: the row is written, and the node's worker sends again what nobody has begun.
    """
    if sandbox.node is None:
        raise ValueError(f"{task}: sandbox {sandbox.id} has no node yet")
    arguments = [] if task == "fill_pool" else [sandbox.id.hex]
    queue = sandbox.node.queue

    def queued() -> None:
        try:
            current_app.send_task(f"engine.tasks.{task}", args=arguments, queue=queue)
        except OperationalError as error:
            log.warning("task.not_sent", task=task, sandbox=sandbox.id.hex, error=str(error))

    transaction.on_commit(queued)
