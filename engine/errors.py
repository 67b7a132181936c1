"""Why a request for a sandbox is refused: each with a code for programs and a title and a text for people."""


class Refused(Exception):
    """A sandbox could not be had. `title` is a headline, `text` says why and what to do."""

    code = "failed"
    http_status = 503
    title = "Your machine could not start"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class BadRequest(Refused):
    code, http_status, title = "bad-request", 400, "This machine cannot be made"


class UnknownImage(BadRequest):
    code, title = "no-image", "This lab's image is not here"


class OverQuota(Refused):
    code, http_status, title = "over-quota", 409, "You have as many machines as you may"


class OverDailyHours(OverQuota):
    title = "Your hours for today are used up"


class SiteFull(Refused):
    code, title = "full", "Every machine is in use"


class NoNode(Refused):
    code, title = "no-node", "The engine is not running"


class Draining(NoNode):
    title = "No new machines at the moment"


class Ended(Refused):
    code, http_status, title = "ended", 409, "This machine has ended"
