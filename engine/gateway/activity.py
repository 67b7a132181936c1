"""Noting that a sandbox is in use, at most every few seconds."""

import asyncio
import time
from uuid import UUID

from asgiref.sync import sync_to_async
from django.utils import timezone

from engine.models import Sandbox

EVERY = 5.0  # s


class Activity:
    """Coalesces keystrokes and output into few writes. `note` is cheap and never waits."""

    def __init__(self, sandbox_id: UUID) -> None:
        self.sandbox_id = sandbox_id
        self.next = 0.0
        self.running: object = None

    def note(self) -> None:
        now = time.monotonic()
        if now >= self.next:
            self.next = now + EVERY
            self.running = asyncio.ensure_future(self._write())

    @sync_to_async
    def _write(self) -> None:
        Sandbox.objects.filter(id=self.sandbox_id, state=Sandbox.State.RUNNING).update(last_activity_at=timezone.now())
