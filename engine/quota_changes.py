"""What a change of the rules does, before it is made and when it is made: whom it touches, and which running sandboxes."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, Q

from engine import quotas
from engine.dispatch import send
from engine.events import announce
from engine.models import QuotaRule, Sandbox

SHOWN = 50


@dataclass(frozen=True)
class Change:
    """One field of one sandbox. `now`: it changes while the sandbox runs; otherwise its next one will have it."""

    name: str
    before: float
    after: float

    @property
    def now(self) -> bool:
        return self.name in quotas.LIVE_FIELDS


@dataclass(frozen=True)
class Affected:
    sandbox: Sandbox
    changes: list[Change]


@dataclass
class Impact:
    """What saving would do. `users`: whose effective limits change; `over`: those who now run more than they then may."""

    users: int = 0
    fields: set[str] = field(default_factory=set)
    running: list[Affected] = field(default_factory=list)
    over: list[str] = field(default_factory=list)

    @property
    def live_changes(self) -> list[Affected]:
        """Sandboxes that change while they run."""
        return [item for item in self.running if any(change.now for change in item.changes)]


def _users_of(rules: list[QuotaRule]) -> Any:
    """Everybody one of the rules speaks of."""
    users = get_user_model().objects.filter(is_active=True)
    if any(rule.scope == QuotaRule.Scope.GLOBAL for rule in rules):
        return users
    groups = [rule.group_id for rule in rules if rule.group_id]
    return users.filter(Q(groups__in=groups) | Q(pk__in=[rule.user_id for rule in rules if rule.user_id])).distinct()


def impact(old: QuotaRule | None, new: QuotaRule | None) -> Impact:
    """What putting `new` (None: nothing) in the place of `old` (None: nothing) would do. Reads, and changes nothing."""
    before = list(QuotaRule.objects.select_related("group", "user"))
    after = [rule for rule in before if old is None or rule.pk != old.pk] + ([new] if new else [])
    found = Impact()
    live = Q(sandboxes__state__in=Sandbox.LIVE) & ~Q(sandboxes__state=Sandbox.State.STOPPING)
    users = _users_of([rule for rule in (old, new) if rule]).annotate(live=Count("sandboxes", filter=live, distinct=True))
    for user in users.prefetch_related("groups").iterator(chunk_size=1000):
        groups = {group.pk for group in user.groups.all()}
        was, will = (quotas.tightest([rule for rule in rules if quotas.speaks_of(rule, user.pk, groups)]) for rules in (before, after))
        changed = {name for name in quotas.FIELDS if was[name].value != will[name].value}
        if not changed:
            continue
        found.users += 1
        found.fields |= changed
        most = will["concurrent"].value
        if "concurrent" in changed and most is not None and user.live > most:
            found.over.append(user.get_username())
        if user.live:
            found.running += _affected(user, will)
    return found


def _affected(user: Any, will: quotas.Effective) -> list[Affected]:
    """The user's sandboxes whose limits the quota would change."""
    found = []
    for sandbox in Sandbox.objects.filter(owner=user, state__in=Sandbox.LIVE).exclude(state=Sandbox.State.STOPPING).defer("files", "setup"):
        sandbox.owner = user
        current = {name: getattr(sandbox, name) for name in quotas.SANDBOX_FIELDS}
        target = quotas.within(current | sandbox.asked, will)
        # The hours that are left today may have shortened its deadline: what a rule gives back of them is seen within a minute.
        target["lifetime_seconds"] = min(target["lifetime_seconds"], current["lifetime_seconds"])
        changes = [Change(name, current[name], target[name]) for name in current if current[name] != target[name]]
        if changes:
            found.append(Affected(sandbox, changes))
    return found


def carry_out(found: Impact) -> None:
    """Bring what lives to the new rules: what waits at once, what runs by its node's worker. In the transaction that saves them."""
    for item in found.running:
        sandbox = item.sandbox
        if sandbox.state == Sandbox.State.QUEUED:
            values = {change.name: change.after for change in item.changes}
            if Sandbox.objects.filter(id=sandbox.id, state=Sandbox.State.QUEUED).update(**values):
                transaction.on_commit(lambda sandbox=sandbox: announce(sandbox))  # type: ignore[misc]
            else:  # it has left the line meanwhile, perhaps with a node
                sandbox.refresh_from_db()
                if sandbox.node is not None:
                    send(sandbox, "apply_limits")
        elif any(change.now for change in item.changes):
            send(sandbox, "apply_limits")
