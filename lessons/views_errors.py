"""Pages for what went wrong before or outside a view: each says what happened and offers one way on."""

import re
import uuid
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

log = structlog.get_logger(__name__)
# django-structlog takes over an X-Request-ID that the request brings.
_REFERENCE = re.compile(r"[\w-]{8,64}")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # Rendered without the request: what is wrong may be its host name, and then the site's frame fails too.
    return HttpResponse(render_to_string("400.html"), status=400)


def too_many(request: HttpRequest) -> HttpResponse:
    """django-allauth's limits; their longest window that a person meets is five minutes."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = "300"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """With the id under which the log has it."""
    reference = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    if not _REFERENCE.fullmatch(reference):
        reference = uuid.uuid4().hex
    log.error("request.failed", reference=reference, path=request.path, method=request.method)
    return HttpResponse(render_to_string("500.html", {"reference": reference}), status=500)


def not_ready(text: str = "") -> HttpResponse:
    context: dict[str, Any] = {"text": text}
    return HttpResponse(render_to_string("503.html", context), status=503, headers={"Retry-After": "120", "Cache-Control": "no-store"})
