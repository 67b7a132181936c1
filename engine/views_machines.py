"""The pages Machines: what runs, what it costs, and stopping it. Admins see all, a learner their own."""

import uuid
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from engine import usage, waiting
from engine.decorators import for_staff
from engine.lifecycle import stop_sandbox
from engine.models import Node, Sandbox
from engine.runtime.spec import format_size

RIGHT = "engine.change_sandbox"
PER_PAGE = 100
NEARLY = 0.9  # of a limit: from there the bar changes its colour
STOPPABLE = (Sandbox.State.QUEUED, Sandbox.State.CREATING, Sandbox.State.READY, Sandbox.State.RUNNING)
WORDS = {
    Sandbox.State.QUEUED: _("Waiting"),
    Sandbox.State.CREATING: _("Starting"),
    Sandbox.State.READY: _("Warm"),
    Sandbox.State.RUNNING: _("Running"),
    Sandbox.State.STOPPING: _("Stopping"),
}


class FilterForm(forms.Form):
    state = forms.ChoiceField(required=False, choices=[("", _("Any state")), *((state.value, word) for state, word in WORDS.items())])
    node = forms.ModelChoiceField(Node.objects.order_by("name"), required=False, to_field_name="name", empty_label=_("Any node"))
    owner = forms.CharField(required=False, max_length=150, widget=forms.TextInput({"type": "search", "autocomplete": "off"}))


class StopForm(forms.Form):
    """Why a machine is stopped, in words for the one who loses it."""

    words = forms.CharField(max_length=500, strip=True, label=_("What its owner is told"), widget=forms.Textarea({"rows": 3}))

    def __init__(self, data: Any = None, *, required: bool) -> None:
        super().__init__(data)
        self.fields["words"].required = required


@dataclass(frozen=True)
class Bar:
    """One figure against its limit; `used` None while nobody has measured it."""

    name: str
    used: float | None
    limit: float
    figures: str

    @property
    def nearly_full(self) -> bool:
        return self.used is not None and self.used >= NEARLY * self.limit


@dataclass(frozen=True)
class Machine:
    sandbox: Sandbox
    word: str
    bars: list[Bar]
    lesson_url: str
    place: int | None

    @property
    def stoppable(self) -> bool:
        return self.sandbox.state in STOPPABLE


def _of(used: str | None, limit: str) -> str:
    """A figure against its limit, in words."""
    if used is None:
        return gettext("%(limit)s at most") % {"limit": limit}
    return gettext("%(used)s of %(limit)s") % {"used": used, "limit": limit}


def _sizes(used: int | None, limit: int) -> str:
    return _of(format_size(used) if used is not None else None, format_size(limit))


def _bars(sandbox: Sandbox, now: usage.SandboxUsage | None) -> list[Bar]:
    cores = now.cores if now else None
    limit = ngettext("%(count)s core", "%(count)s cores", 1 if sandbox.cpus == 1 else 2) % {"count": f"{sandbox.cpus:g}"}
    memory, disk, pids = (now.memory, now.disk, now.pids) if now else (None, None, None)
    return [
        Bar(gettext("Memory"), memory, sandbox.memory, _sizes(memory, sandbox.memory)),
        Bar(gettext("CPU"), cores, sandbox.cpus, _of(None if cores is None else f"{cores:.2f}", limit)),
        Bar(gettext("Disk"), disk, sandbox.disk, _sizes(disk, sandbox.disk)),
        Bar(gettext("Processes"), pids, sandbox.pids, _of(None if pids is None else str(pids), str(sandbox.pids))),
    ]


def _lesson_url(label: str) -> str:
    """Where a lesson's machine is used. What the command line started has a label of its own, and no page."""
    parts = label.split("/")
    try:
        return reverse("lesson", args=parts) if len(parts) == 3 else ""
    except NoReverseMatch:
        return ""


def _machines(sandboxes: "list[Sandbox]") -> list[Machine]:
    """The rows with the figures of their nodes and their places in the line."""
    measured = usage.of_nodes({sandbox.node.name for sandbox in sandboxes if sandbox.node})
    line = list(waiting.line().values_list("id", flat=True)) if any(item.state == Sandbox.State.QUEUED for item in sandboxes) else []
    found = []
    for sandbox in sandboxes:
        node = measured.get(sandbox.node.name) if sandbox.node else None
        now = node.sandboxes.get(sandbox.id.hex) if node else None
        found.append(
            Machine(
                sandbox=sandbox,
                word=str(WORDS[Sandbox.State(sandbox.state)]),
                bars=[] if sandbox.state == Sandbox.State.QUEUED else _bars(sandbox, now),
                lesson_url=_lesson_url(sandbox.label),
                place=line.index(sandbox.id) + 1 if sandbox.id in line else None,
            )
        )
    return found


def _live() -> "QuerySet[Sandbox, Sandbox]":
    rows = Sandbox.objects.filter(state__in=Sandbox.LIVE).select_related("owner", "node", "saved_as").defer("files", "setup")
    return rows.order_by("-created_at", "id")


def _totals(machines: list[Machine]) -> dict[str, Any]:
    """What the shown ones use together, and what they were promised."""
    known = [bar.used for machine in machines for bar in machine.bars[:1] if bar.used is not None]
    placed = [machine.sandbox for machine in machines if machine.sandbox.node_id]
    return {
        "states": [(word, count) for word in map(str, WORDS.values()) if (count := sum(machine.word == word for machine in machines))],
        "memory_used": format_size(int(sum(known))) if known else None,
        "memory_promised": format_size(sum(sandbox.memory for sandbox in placed)),
        "measured": len(known),
        "placed": len(placed),
    }


def _page(request: HttpRequest, rows: "QuerySet[Sandbox, Sandbox]", **context: Any) -> HttpResponse:
    """The whole page, or with `?part=list` what the page's script puts in place of the list it has."""
    page: Page[Sandbox] = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    machines = _machines(list(page.object_list))
    part = request.GET.get("part") == "list"
    context |= {"machines": machines, "totals": _totals(machines), "page": page}
    return render(request, "engine/_machine_list.html" if part else "engine/machines.html", context)


@require_GET
@login_required
@never_cache
def mine(request: HttpRequest) -> HttpResponse:
    return _page(request, _live().filter(owner_id=request.user.pk), all=False)


@require_GET
@for_staff(RIGHT)
def manage(request: HttpRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    rows = _live()
    chosen = form.cleaned_data if form.is_valid() else {}
    if chosen.get("state"):
        rows = rows.filter(state=chosen["state"])
    if chosen.get("node"):
        rows = rows.filter(node=chosen["node"])
    if chosen.get("owner"):
        rows = rows.filter(owner__username__icontains=chosen["owner"].strip())
    filtered = any(chosen.values()) or not form.is_valid()
    return _page(request, rows, all=True, form=form, filtered=filtered)


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def stop_mine(request: HttpRequest, sandbox_id: uuid.UUID) -> HttpResponse:
    """Somebody else's is not found: who asks need not learn that it exists."""
    return _stop(request, get_object_or_404(_live(), id=sandbox_id, owner_id=request.user.pk), back="machines")


@require_http_methods(["GET", "POST"])
@for_staff(RIGHT)
def stop_any(request: HttpRequest, sandbox_id: uuid.UUID) -> HttpResponse:
    return _stop(request, get_object_or_404(_live(), id=sandbox_id), back="manage_machines")


def _stop(request: HttpRequest, sandbox: Sandbox, back: str) -> HttpResponse:
    """GET asks, POST stops. A page's script gets 204, or 422 with what is wrong with the words; a plain form the page again."""
    others = sandbox.owner_id is not None and sandbox.owner_id != request.user.pk
    form = StopForm(request.POST if request.method == "POST" else None, required=others)
    wants_json = "application/json" in request.headers.get("Accept", "")
    if not form.is_valid():
        if wants_json and request.method == "POST":
            return JsonResponse({"error": " ".join(map(str, form.errors["words"]))}, status=422)
        context = {"form": form, "machine": _machines([sandbox])[0], "back": back, "others": others}
        return render(request, "engine/machine_stop.html", context, status=422 if form.is_bound else 200)
    reason = Sandbox.Reason.USER if sandbox.owner_id == request.user.pk else Sandbox.Reason.ADMIN
    stop_sandbox(sandbox, reason, by=request.user, detail=form.cleaned_data["words"])
    if wants_json:
        return HttpResponse(status=204)
    messages.success(request, gettext("Stopping %(name)s.") % {"name": sandbox.label or sandbox.image})
    return redirect(back)
