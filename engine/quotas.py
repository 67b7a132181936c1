"""What a user may have: the rules that speak of them, the tightest of each limit, and what is left of it today."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engine.errors import OverDailyHours, OverQuota
from engine.models import QuotaRule, Sandbox

LONGEST = 7 * 24 * 3600  # s: no sandbox lives longer, whatever the rules say
Unit = Literal["size", "cores", "count", "duration", "hours"]


@dataclass(frozen=True)
class Field:
    """One limit. `live` ones change in a running sandbox too."""

    label: str
    unit: Unit
    per: Literal["sandbox", "user"]
    least: float
    most: float
    example: str
    live: bool = False
    help: str = ""


# The bounds are the sandbox maker's own (engine.runtime.spec.Limits).
FIELDS = {
    "memory": Field("Memory", "size", "sandbox", 64 << 20, 64 << 30, "512 MiB", live=True),
    "cpus": Field("CPUs", "cores", "sandbox", 0.1, 64, "1.5", live=True),
    "pids": Field("Processes", "count", "sandbox", 16, 8192, "256", live=True),
    "disk": Field("Disk", "size", "sandbox", 64 << 20, 1 << 40, "2 GiB"),
    "idle_seconds": Field("Idle time", "duration", "sandbox", 30, LONGEST, "15 min"),
    "lifetime_seconds": Field("Deadline", "duration", "sandbox", 60, LONGEST, "2 h"),
    "concurrent": Field("Machines at once", "count", "user", 0, 1000, "2"),
    "daily_hours": Field("Hours a day", "hours", "user", 0, 24 * 1000, "4"),
    "saved_disk": Field("Saved machines", "size", "user", 0, 1 << 50, "10 GiB", help="What their disks take on the host."),
}
SANDBOX_FIELDS = tuple(name for name, field in FIELDS.items() if field.per == "sandbox")
LIVE_FIELDS = tuple(name for name, field in FIELDS.items() if field.live)


class Limit(NamedTuple):
    """An effective limit and the rule that gave it. value None: no limit but what the lab asks for; rule None: built in."""

    value: float | int | None
    rule: QuotaRule | None


Effective = dict[str, Limit]


def built_in(name: str) -> float | int | None:
    """The limit where no rule speaks."""
    return {"concurrent": settings.MAX_SANDBOXES_PER_USER, "lifetime_seconds": LONGEST, "saved_disk": settings.SAVED_DISK}.get(name)


def tightest(rules: Sequence[QuotaRule]) -> Effective:
    """The least value of each field among the rules, with the rule it comes from."""
    found: Effective = {}
    for name in FIELDS:
        said = [Limit(getattr(rule, name), rule) for rule in rules if getattr(rule, name) is not None]
        found[name] = min(said, key=lambda limit: limit.value or 0) if said else Limit(built_in(name), None)
    return found


def speaks_of(rule: QuotaRule, user_id: int, group_ids: set[int]) -> bool:
    """Whether the rule is about this user."""
    return rule.scope == QuotaRule.Scope.GLOBAL or rule.user_id == user_id or rule.group_id in group_ids


def effective(user: Any) -> Effective:
    """Every limit of the user, and which rule gave it."""
    mine = Q(scope=QuotaRule.Scope.GLOBAL) | Q(group__in=user.groups.all()) | Q(user=user)
    return tightest(list(QuotaRule.objects.filter(mine).select_related("group", "user").distinct()))


def within(asked: dict[str, Any], limits: Effective) -> dict[str, Any]:
    """The sandbox's own limits, none above the quota."""
    return {name: value if limits[name].value is None else min(value, limits[name].value) for name, value in asked.items()}


def clamped(columns: dict[str, Any], limits: Effective, user: Any) -> dict[str, Any]:
    """The columns of a new sandbox: what its lab asks for, as far as the quotas go."""
    asked = {name: columns[name] for name in SANDBOX_FIELDS}
    given = within(asked, limits)
    left = longest_run(limits, user)
    if left is not None:
        given["lifetime_seconds"] = max(1, min(given["lifetime_seconds"], left))
    return columns | given | {"asked": asked}


def midnight(now: datetime) -> datetime:
    """When today began in the site's time zone."""
    return timezone.localtime(now, timezone.get_default_timezone()).replace(hour=0, minute=0, second=0, microsecond=0)


def used_today(user: Any) -> timedelta:
    """How long the user's sandboxes have run since midnight, added up."""
    now = timezone.now()
    today = midnight(now)
    still = Q(ended_at=None, state__in=Sandbox.LIVE) | Q(ended_at__gt=today)
    runs = Sandbox.objects.filter(still, owner=user, started_at__isnull=False).values_list("started_at", "ended_at")
    spans = (min(ended or now, now) - max(started, today) for started, ended in runs if started is not None)
    return sum((max(span, timedelta()) for span in spans), timedelta())


def longest_run(limits: Effective, user: Any, machines: int = 1) -> int | None:
    """Seconds until the day's hours are used, with so many machines running; past midnight there are new ones. None: no such limit."""
    hours = limits["daily_hours"].value
    if hours is None:
        return None
    now = timezone.now()
    whole_day = timedelta(hours=hours)
    left = max(timedelta(), whole_day - used_today(user)) / machines
    tomorrow = midnight(midnight(now) + timedelta(hours=36))  # a day of the clock may have 23 or 25 hours
    if now + left >= tomorrow:
        left = tomorrow - now + whole_day / machines
    return int(left.total_seconds())


def refuse_over(user: Any, limits: Effective) -> None:
    """Raises OverQuota or OverDailyHours, which say what the limit is, how much is used, and what to do."""
    _refuse_too_many_at_once(user, limits["concurrent"])
    _refuse_too_long_today(user, limits["daily_hours"])


def origin(limit: Limit) -> str:
    """Which rule it is, as the end of a sentence to the person it binds."""
    rule = limit.rule
    if rule is None:
        return _("the site's default")
    if rule.group is not None:
        return _("set for the group %(name)s") % {"name": rule.group.name}
    return _("set for everybody") if rule.scope == QuotaRule.Scope.GLOBAL else _("set for you")


def machines_of(user: Any) -> "QuerySet[Sandbox, Sandbox]":
    """What counts as "at once". One that was stopped while it is still being made counts until its maker has let go."""
    going = Q(state=Sandbox.State.STOPPING) & ~Q(claim__startswith="create") & ~Q(claim__startswith="prepare")
    return Sandbox.objects.filter(owner=user, state__in=Sandbox.LIVE).exclude(going)


def _refuse_too_many_at_once(user: Any, limit: Limit) -> None:
    running = list(machines_of(user).defer("files", "setup"))
    if limit.value is None or len(running) < limit.value:
        return
    if not limit.value:
        text = _("Your account may not run machines (%(origin)s). Ask your instructor if you need one.")
        raise OverQuota(text % {"origin": origin(limit)})
    names = ", ".join((item.label or item.image) + (f" ({_('waiting')})" if item.state == Sandbox.State.QUEUED else "") for item in running)
    most = int(limit.value)
    machines = ngettext("%(count)s machine", "%(count)s machines", most) % {"count": most}
    text = _("You may run %(machines)s at once (%(origin)s), and %(running)s run or wait now: %(names)s. Stop one, then start this one.")
    raise OverQuota(text % {"machines": machines, "origin": origin(limit), "running": len(running), "names": names})


def _refuse_too_long_today(user: Any, limit: Limit) -> None:
    if limit.value is None:
        return
    used = used_today(user)
    if used < timedelta(hours=limit.value):
        return
    hours = used.total_seconds() / 3600
    text = _(
        "Your machines may run %(limit)s hours a day together (%(origin)s), and today they have run %(used)s. "
        "You can start one again after midnight, or ask your instructor for more time."
    )
    raise OverDailyHours(text % {"limit": f"{limit.value:g}", "origin": origin(limit), "used": f"{hours:.1f}"})
