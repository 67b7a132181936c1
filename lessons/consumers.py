"""What a lesson page hears of its lab: the whole lab, on connect and whenever the engine says that it changed."""

import asyncio
import contextlib
from typing import Any

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError
from django.utils import translation

from engine.events import group
from engine.waiting import SEEN_EVERY
from lessons import languages
from lessons.errors import NotFound
from lessons.labs import find_lab, lab_json, seen

log = structlog.get_logger(__name__)
SIGNED_OUT, NOT_THERE = 4401, 4404


class LabConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """Server to page only. What a page sends is ignored; it acts through the HTTP contract."""

    groups_joined: tuple[str, ...] = ()
    place_keeper: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        self.user = self.scope["user"]
        if not self.user.is_authenticated:
            await self.close(code=SIGNED_OUT)
            return
        try:
            names = await self._group_names()
            # First the group, then the state: a change in between is sent twice rather than never.
            for name in names:
                await self.channel_layer.group_add(name, self.channel_name)
            self.groups_joined = names
            lab = await self._lab()
        except NotFound:
            await self.close(code=NOT_THERE)
            return
        await self.accept()
        await self.send_json({"type": "lab", "lab": lab})
        if lab["queue"]:
            self.place_keeper = asyncio.create_task(self._keep_place())

    async def _keep_place(self) -> None:
        """As long as this socket is open, somebody waits. The web server's pings close it when the page is gone without a word."""
        with contextlib.suppress(NotFound):
            while True:
                try:
                    if not await self._seen():
                        return
                except DatabaseError as error:  # it is back by the next time, or this site is down for everybody
                    log.warning("place.not_kept", error=str(error))
                await asyncio.sleep(SEEN_EVERY)

    async def disconnect(self, code: int) -> None:
        if self.place_keeper:
            self.place_keeper.cancel()
        for name in self.groups_joined:
            await self.channel_layer.group_discard(name, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Nothing is expected from the page."""

    async def sandbox_changed(self, _event: dict[str, Any]) -> None:
        try:
            await self.send_json({"type": "lab", "lab": await self._lab()})
        except NotFound:
            await self.close(code=NOT_THERE)

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def _group_names(self) -> tuple[str, ...]:
        session = find_lab(self.user, self.scope["url_route"]["kwargs"]["lab_id"])
        return tuple(group(sandbox) for sandbox in session.sandboxes.all())

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def _seen(self) -> bool:
        return seen(find_lab(self.user, self.scope["url_route"]["kwargs"]["lab_id"]))

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def _lab(self) -> dict[str, Any]:
        with translation.override(languages.of_websocket(self.scope)):
            return lab_json(find_lab(self.user, self.scope["url_route"]["kwargs"]["lab_id"]))
