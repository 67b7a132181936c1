"""Pages of saved machines: resume and delete, with and without scripts."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from engine import saving
from lessons import labs, saved
from lessons.decorators import Answer, signed_in_json
from lessons.errors import NotFound, Refused

HOME = "/#saved-machines"


@signed_in_json("POST")
def resume_json(request: HttpRequest, saved_id: uuid.UUID) -> Answer:
    """For the lesson's page."""
    return labs.lab_json(saved.resume(request.user, saved_id)), 201


@require_POST
@login_required
def resume(request: HttpRequest, saved_id: uuid.UUID) -> HttpResponse:
    """For the home page: on to the lesson, where it starts."""
    try:
        session = saved.resume(request.user, saved_id)
    except Refused as error:
        messages.error(request, f"{_(error.title)}: {_(error.text)}")
        return redirect(HOME)
    return redirect(session.lesson)


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def delete(request: HttpRequest, saved_id: uuid.UUID) -> HttpResponse:
    """GET asks, POST deletes."""
    try:
        machine = saved.find(request.user, saved_id)
        if request.method == "POST":
            saving.delete(machine, request.user)
            messages.success(request, _("“%(name)s” is being deleted.") % {"name": machine.name})
            return redirect(HOME)
    except NotFound as error:
        raise Http404(error.text) from error
    except Refused as error:
        messages.error(request, f"{_(error.title)}: {_(error.text)}")
        return redirect(HOME)
    return render(request, "lessons/saved_delete.html", {"machine": saved.row(machine, saved.lesson_of(request.user, machine))})
