"""Why a request for a sandbox is refused: each with a code for programs and a title and a text for people.

Titles are marked here and translated where they leave (`lessons.decorators`): the audit log has them in English.
"""

from django.utils.translation import gettext_noop as _


class Refused(Exception):
    """A sandbox could not be had. `title` is a headline, `text` says why and what to do."""

    code = "failed"
    http_status = 503
    title = _("Your machine could not start")

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class BadRequest(Refused):
    code, http_status, title = "bad-request", 400, _("This machine cannot be made")


class UnknownImage(BadRequest):
    code, title = "no-image", _("This lab's image is not here")


class OverQuota(Refused):
    code, http_status, title = "over-quota", 409, _("You have as many machines as you may")


class OverDailyHours(OverQuota):
    title = _("Your hours for today are used up")


class TooManyTerminals(OverQuota):
    title = _("This machine has as many terminals as it may")


class TooFast(Refused):
    code, http_status, title = "too-many", 429, _("That is more than a person does")


class NoMoreTime(OverQuota):
    title = _("There is no more time to give")


class OverSavedDisk(OverQuota):
    code, title = "over-saved-disk", _("There is no room to save this machine")


class Busy(Refused):
    code, http_status, title = "busy", 409, _("Not now")


class NodeAway(Refused):
    code, title = "node-away", _("This machine cannot be resumed now")


class SiteFull(Refused):
    code, title = "full", _("Every machine is in use")


class NoNode(Refused):
    code, title = "no-node", _("The engine is not running")


class Draining(NoNode):
    title = _("No new machines at the moment")


class Ended(Refused):
    code, http_status, title = "ended", 409, _("This machine has ended")
