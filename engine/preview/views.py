"""The site's side of a preview: it looks who somebody is, and sends them on with a token."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from engine.models import Preview, Sandbox
from engine.preview import hosts, tokens
from engine.preview.app import ENTER, local_path
from engine.preview.hosts import MOST_PORT, Place
from engine.preview.problems import NO_MACHINE, NO_SUCH_NAME, NOT_SET_UP, NOT_YOURS, Problem


@require_GET
@login_required
@never_cache
def port(request: HttpRequest, key: str, port: int) -> HttpResponse:
    """`?next=/path` is where in the preview to go."""
    preview = Preview.objects.select_related("sandbox").filter(key=key).first()
    problem = _problem(request, preview, port)
    if problem or preview is None:
        return render(request, "engine/port_problem.html", {"problem": problem}, status=(problem or NO_MACHINE).status)
    place = Place(port, key)
    site = hosts.site_origin(request)
    if preview.site != site:
        Preview.objects.filter(pk=preview.pk).update(site=site)
    token = tokens.entry(place, preview.sandbox.owner_id or 0, preview.entry_epoch)
    query = urlencode({"token": token, "next": local_path(request.GET.get("next", "/"))})
    return HttpResponseRedirect(f"{hosts.origin_of(place, request)}{ENTER}?{query}")


def _problem(request: HttpRequest, preview: Preview | None, port: int) -> Problem | None:
    if not 1 <= port <= MOST_PORT:
        return NO_SUCH_NAME
    if not settings.PREVIEWS:
        return NOT_SET_UP
    if preview is None:
        return NO_MACHINE
    if not preview.sandbox.may_be_used_by(request.user):
        return NOT_YOURS
    return None if preview.sandbox.state == Sandbox.State.RUNNING else NO_MACHINE
