"""The connections to previews that this process carries: how many, and whether each may still go on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import structlog
from django.db import DatabaseError

from engine.gateway.activity import Activity
from engine.preview import access
from engine.preview.access import Refused, Visit
from engine.preview.problems import TOO_MANY

MOST = 128  # at once, for one sandbox
LOOK_EVERY = 5.0  # s

log = structlog.get_logger(__name__)


class Lab:
    """One sandbox's connections. While it has any, each is looked at again every few seconds: links end, machines stop, people sign out."""

    def __init__(self, visit: Visit) -> None:
        self.activity = Activity(visit.preview.sandbox_id)
        self.open: dict[asyncio.Task[Any], Visit] = {}
        self.looking = asyncio.create_task(self._look_again())

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for task, visit in list(self.open.items()):
                try:
                    await access.check(visit.place, visit.granted)
                except DatabaseError as error:  # asked again in a moment
                    log.warning("preview.not_checked", sandbox=visit.preview.sandbox_id.hex, error=str(error))
                except Refused as refused:
                    log.info("preview.ended", sandbox=visit.preview.sandbox_id.hex, reason=refused.problem.title)
                    task.cancel()


labs: dict[str, Lab] = {}


@contextlib.asynccontextmanager
async def carried(visit: Visit) -> AsyncIterator[Activity]:
    """Count the current task as a connection of the visit's sandbox; it is cancelled when the visit ends. Raises Refused."""
    key, task = visit.place.key, cast("asyncio.Task[Any]", asyncio.current_task())
    lab = labs.get(key)
    if lab is not None and len(lab.open) >= MOST:
        raise Refused(TOO_MANY)
    if lab is None:
        lab = labs[key] = Lab(visit)
    lab.open[task] = visit
    lab.activity.note()
    try:
        yield lab.activity
    finally:
        del lab.open[task]
        if not lab.open:
            lab.looking.cancel()
            del labs[key]
