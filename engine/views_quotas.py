"""The page Quotas: see every rule, see what a user may have and why, and change a rule after seeing what that does."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from engine import audit, quotas, saving
from engine.decorators import for_staff
from engine.models import Node, QuotaRule, Sandbox
from engine.placement import rooms
from engine.quantities import show
from engine.quota_changes import SHOWN, Impact, carry_out, impact
from engine.quota_forms import LookupForm, NodeForm, RuleForm
from engine.runtime.spec import format_size

allowed = for_staff("engine.change_quotarule")


@require_GET
@allowed
def overview(request: HttpRequest) -> HttpResponse:
    """Every rule, one user's effective limits, and the nodes."""
    lookup = LookupForm(request.GET if "user" in request.GET else None)
    user = lookup.cleaned_data["user"] if lookup.is_bound and lookup.is_valid() else None
    rules = QuotaRule.objects.select_related("group", "user")
    context = {
        "rules": [{"rule": rule, "limits": _limits(rule)} for rule in sorted(rules, key=_order)],
        "lookup": lookup,
        "found": user,
        "effective": _explained(user) if user else [],
        "nodes": _nodes(),
        "waiting": Sandbox.objects.filter(state=Sandbox.State.QUEUED).count(),
    }
    return render(request, "engine/quotas.html", context)


def _order(rule: QuotaRule) -> tuple[int, str]:
    """The wide rules first."""
    return (["global", "group", "user"].index(rule.scope), str(rule).lower())


def _limits(rule: QuotaRule) -> list[tuple[str, str]]:
    said = ((field, getattr(rule, name)) for name, field in quotas.FIELDS.items())
    return [(field.label, show(value, field.unit)) for field, value in said if value is not None]


def _explained(user: Any) -> list[dict[str, Any]]:
    """Each limit of the user: its value, the rule that gave it, and what is used of it."""
    used = {
        "concurrent": f"{quotas.machines_of(user).count()} now",
        "daily_hours": f"{quotas.used_today(user).total_seconds() / 3600:.1f} hours today",
        "saved_disk": format_size(saving.used(user)),
    }
    return [
        {"field": quotas.FIELDS[name], "value": _value(name, limit), "rule": limit.rule, "used": used.get(name, "")}
        for name, limit in quotas.effective(user).items()
    ]


def _value(name: str, limit: quotas.Limit) -> str:
    field = quotas.FIELDS[name]
    return "as the lab asks" if limit.value is None and field.per == "sandbox" else show(limit.value, field.unit)


def _nodes() -> list[dict[str, Any]]:
    held = {room.node.pk: room for room in rooms()}
    return [{"node": node, "room": held.get(node.pk)} for node in Node.objects.order_by("name")]


@require_http_methods(["GET", "POST"])
@allowed
def rule(request: HttpRequest, rule_id: int | None = None) -> HttpResponse:
    """Make or change a rule: the form, then what it would do, then it is done. Nothing typed is lost on the way."""
    old = get_object_or_404(QuotaRule.objects.select_related("group", "user"), pk=rule_id) if rule_id else None
    form = RuleForm(request.POST or None, instance=get_object_or_404(QuotaRule, pk=rule_id) if rule_id else None)
    step = request.POST.get("step", "edit")
    context = {"form": form, "old": old, "seen": request.POST.get("seen") or (old.updated_at.isoformat() if old else "")}
    if step == "edit" or not form.is_valid():
        return render(request, "engine/quotas_rule.html", context, status=200 if step == "edit" else 422)
    if old and context["seen"] != old.updated_at.isoformat():
        form.add_error(None, f"Somebody changed this rule while you did. It now says: {_sentence(old)}. Look again, then save.")
        return render(request, "engine/quotas_rule.html", context | {"seen": old.updated_at.isoformat()}, status=409)
    if step == "save":
        _save(request, old, form)
        return redirect("quotas")
    return render(request, "engine/quotas_preview.html", context | _preview(impact(old, form.instance)) | {"new": form.instance})


@transaction.atomic
def _save(request: HttpRequest, old: QuotaRule | None, form: RuleForm) -> None:
    found = impact(old, form.instance)
    new = form.save()
    carry_out(found)
    before = _values(old) if old else {}
    audit.record(request.user, "quota.change" if old else "quota.create", new, before=before, after=_values(new), note=new.note)
    messages.success(request, f"The rule for {new} is saved. {_done(found)}")


@require_http_methods(["GET", "POST"])
@allowed
def remove(request: HttpRequest, rule_id: int) -> HttpResponse:
    """What removing a rule would do; by POST it is done."""
    old = get_object_or_404(QuotaRule.objects.select_related("group", "user"), pk=rule_id)
    if request.method == "GET":
        return render(request, "engine/quotas_preview.html", {"old": old, "new": None} | _preview(impact(old, None)))
    with transaction.atomic():
        found = impact(old, None)
        subject = str(old)
        audit.record(request.user, "quota.remove", subject, before=_values(old), note=old.note)
        old.delete()
        carry_out(found)
    messages.success(request, f"The rule for {subject} is removed. {_done(found)}")
    return redirect("quotas")


def _values(rule: QuotaRule) -> dict[str, float]:
    return {name: value for name in quotas.FIELDS if (value := getattr(rule, name)) is not None}


def _sentence(rule: QuotaRule) -> str:
    return ", ".join(f"{label} {value}" for label, value in _limits(rule)) or "nothing"


def _done(found: Impact) -> str:
    count = len(found.live_changes)
    running = f", and {count} running {'machine is' if count == 1 else 'machines are'} being changed" if count else ""
    return f"It holds for every machine started from now on{running}."


def _preview(found: Impact) -> dict[str, Any]:
    """The impact in words and numbers with units."""
    shown = [
        {
            "sandbox": item.sandbox,
            "now": [_change(change) for change in item.changes if change.now],
            "later": [_change(change) for change in item.changes if not change.now],
        }
        for item in found.running[:SHOWN]
    ]
    fields = [quotas.FIELDS[name].label.lower() for name in quotas.FIELDS if name in found.fields]
    hidden = max(0, len(found.running) - SHOWN)
    return {"impact": found, "shown": shown, "hidden": hidden, "fields": fields, "lowers_memory": _lowers_memory(found)}


def _change(change: Any) -> dict[str, str]:
    field = quotas.FIELDS[change.name]
    return {"label": field.label, "before": show(change.before, field.unit), "after": show(change.after, field.unit)}


def _lowers_memory(found: Impact) -> bool:
    return any(change.name == "memory" and change.after < change.before for item in found.running for change in item.changes)


@require_http_methods(["GET", "POST"])
@allowed
def node(request: HttpRequest, node_id: int) -> HttpResponse:
    """What a node gives to sandboxes. Sandboxes that run stay, whatever is set: only new ones look at it."""
    old = get_object_or_404(Node, pk=node_id)
    form = NodeForm(request.POST or None, instance=get_object_or_404(Node, pk=node_id))
    step = request.POST.get("step", "edit")
    context = {"form": form, "node": old, "room": next((room for room in rooms() if room.node.pk == node_id), None)}
    if step == "edit" or not form.is_valid():
        return render(request, "engine/quotas_node.html", context, status=200 if step == "edit" else 422)
    if step == "preview":
        return render(request, "engine/quotas_node_preview.html", context | {"new": form.instance})
    names = list(form.Meta.fields)
    with transaction.atomic():
        # These columns alone: the node's worker writes the others every few seconds.
        form.instance.save(update_fields=names)
        before, after = ({name: getattr(item, name) for name in names} for item in (old, form.instance))
        audit.record(request.user, "node.change", old, before=before, after=after)
    messages.success(request, f"Node {old} is saved.")
    return redirect("quotas")
