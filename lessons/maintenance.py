"""The site closed for maintenance: a file that `manage.py maintenance` makes and the web process looks for.

Running machines and their terminals go on; staff, the health check and the sign-in pages are let through.
"""

from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from lessons.views_errors import not_ready

OPEN = ("/healthz", "/metrics", "/accounts/login/", "/accounts/2fa/", "/accounts/logout/", "/static/")
MOST_WORDS = 500


def switch() -> Path:
    """In a directory that the web process can read and only root can write."""
    return Path(settings.STATE) / "run" / "maintenance"


def closed() -> str | None:
    """What visitors are told; None while the site is open."""
    try:
        return switch().read_text()
    except FileNotFoundError:
        return None


class MaintenanceMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        text = closed()
        if text is None or request.path.startswith(OPEN) or request.user.is_staff:
            return self.get_response(request)
        if "application/json" in request.headers.get("Accept", "") or request.content_type == "application/json":
            title, default = _("The site is being looked after"), _("Running machines go on. Try again in a few minutes.")
            error = {"code": "maintenance", "title": title, "text": text or default}
            return JsonResponse({"error": error}, status=503, headers={"Retry-After": "120"})
        return not_ready(text)
