"""Refusals of the lab API that are not the engine's. Same shape: code, title, text, http_status."""

from django.utils.translation import gettext_noop as _

from engine.errors import BadRequest, Refused

__all__ = ["BadRequest", "Forbidden", "NotFound", "Refused", "TooMany", "WrongMethod"]


class Forbidden(Refused):
    code, http_status, title = "forbidden", 403, _("Sign in first")


class NotFound(Refused):
    code, http_status, title = "not-found", 404, _("There is nothing here")


class WrongMethod(Refused):
    code, http_status, title = "bad-request", 405, _("This address works differently")


class TooMany(Refused):
    code, http_status, title = "too-many", 429, _("Too many machines in a short time")
