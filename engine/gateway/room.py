"""Everyone at one terminal through this process: who came and went, whose size it has, and the feed they share."""

import asyncio
import contextlib
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from engine.dispatch import ask_for_logs
from engine.gateway import frames
from engine.gateway.access import Visit
from engine.gateway.feed import Gone, TerminalFeed
from engine.gateway.ledger import Ledger, ledger_of
from engine.gateway.segments import Segments, memory_of
from engine.models import Terminal

# s: who is back within this time was never gone, for the others
LINGER = 5.0

rooms: dict[UUID, "Room"] = {}


class Guest(Protocol):
    """One browser, as the others see it."""

    visit: Visit
    client: str
    writes: bool
    size: tuple[int, int] | None

    def wake(self) -> None: ...
    def tell(self, frame: bytes) -> None: ...
    def dismiss(self, code: int) -> None: ...


def room_of(terminal: Terminal) -> "Room":
    """This process's one room of the terminal's shell: a fresh shell has its own beside those who have not heard the end of the last."""
    room = rooms.get(terminal.id)
    if room is None or room.feed.ended:
        rooms[terminal.id] = room = Room(terminal)
    return room


def directory_of(terminal: Terminal) -> Path:
    """Where its conmon's sockets and log are."""
    return Path(settings.STATE) / "sandboxes" / terminal.sandbox_id.hex / "terminals" / str(terminal.number)


class Room:
    """The guests of one terminal, in the order in which they were last active: the last one's size counts."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        ask_for_log = partial(ask_for_logs, terminal.sandbox)
        self.feed = TerminalFeed(directory_of(terminal), Segments(memory_of(terminal.id)), Ledger(ledger_of(terminal.id)), ask_for_log)
        with contextlib.suppress(Gone):  # the log of a shell that has exited can still be read
            self.feed.connect()
        self.guests: list[Guest] = []
        self._away: dict[tuple[int, str], asyncio.TimerHandle] = {}

    def knows(self, user_id: int, client: str) -> bool:
        """Whether this client is here, or was a moment ago."""
        return (user_id, client) in self._away or any((guest.visit.user_id, guest.client) == (user_id, client) for guest in self.guests)

    def here(self, user_id: int) -> bool:
        """Whether this user is here in any tab, or was a moment ago."""
        return any(guest.visit.user_id == user_id for guest in self.guests) or any(user == user_id for user, _ in self._away)

    def replace(self, user_id: int, client: str) -> None:
        """Close a connection that this client had before, and that nobody has noticed to be dead yet: it takes no more input."""
        for guest in [guest for guest in self.guests if (guest.visit.user_id, guest.client) == (user_id, client)]:
            guest.dismiss(frames.REPLACED)
            self._leave(guest)

    def join(self, guest: Guest) -> None:
        timer = self._away.pop((guest.visit.user_id, guest.client), None)
        if timer:
            timer.cancel()
        self.guests.insert(0, guest)
        self.feed.subscribe(guest)
        if timer is None:
            self._welcome(guest)
        self.show_all(but=guest)  # it is told in hello

    def _welcome(self, guest: Guest) -> None:
        if not guest.visit.owner:
            for other in self.guests:
                if other.visit.owner:
                    other.tell(_watching(guest))
            return
        tabs = [other for other in self.guests if other.visit.owner]
        for tab in tabs if len(tabs) > 1 else []:
            tab.tell(frames.notice("tabs", "This terminal is also open in another tab."))
        for other in self.guests:
            if not other.visit.owner:
                guest.tell(_watching(other))

    def leave(self, guest: Guest) -> None:
        """The last one out closes the door."""
        if guest not in self.guests:  # it has been replaced
            return
        self._leave(guest)
        if self.guests:
            self._follow_active()
            self.show_all()
            return
        for timer in self._away.values():
            timer.cancel()
        self.feed.close()
        if rooms.get(self.terminal.id) is self:
            del rooms[self.terminal.id]

    def _leave(self, guest: Guest) -> None:
        self.guests.remove(guest)
        self.feed.unsubscribe(guest)
        self._away[(guest.visit.user_id, guest.client)] = asyncio.get_running_loop().call_later(LINGER, self._gone, guest)

    def _gone(self, guest: Guest) -> None:
        """It has not come back."""
        del self._away[(guest.visit.user_id, guest.client)]
        tabs = [other for other in self.guests if other.visit.owner]
        if guest.visit.owner:
            if len(tabs) == 1:
                tabs[0].tell(frames.notice("tabs", "The other tab with this terminal is closed."))
        elif not self.here(guest.visit.user_id):
            for tab in tabs:
                tab.tell(frames.notice("left", f"{guest.visit.name} no longer watches.", user=guest.visit.user))

    def active(self, guest: Guest) -> None:
        """This guest has typed, or has changed its window: it decides the size, if it is a tab of the owner."""
        if self.guests[-1] is not guest:
            self.guests.remove(guest)
            self.guests.append(guest)
        self._follow_active()

    def _follow_active(self) -> None:
        """Only the owner's tabs count, also where somebody else may write: who helps does not reflow the learner's screen."""
        size = next((guest.size for guest in reversed(self.guests) if guest.visit.owner and guest.size), None)
        if size and size != self.feed.last_size:
            self.feed.resize(*size)
            self.show_all()

    def view(self, guest: Guest) -> dict[str, Any]:
        """What a page shows around the terminal's text."""
        columns, rows = self.feed.last_size or (80, 24)
        watchers = {
            other.visit.user: {"user": other.visit.user, "name": other.visit.name, "write": other.writes}
            for other in self.guests
            if not other.visit.owner
        }
        return {
            "columns": columns,
            "rows": rows,
            "role": "owner" if guest.visit.owner else "watcher",
            "write": guest.writes,
            "tabs": sum(other.visit.owner for other in self.guests),
            "watchers": list(watchers.values()),
        }

    def show_all(self, but: Guest | None = None) -> None:
        for guest in self.guests:
            if guest is not but:
                guest.tell(frames.view(self.view(guest)))


def _watching(guest: Guest) -> bytes:
    return frames.notice("watching", f"{guest.visit.name} is watching.", user=guest.visit.user)
