"""More time for a machine that runs, as far as its owner's quotas go."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from engine import audit, quotas
from engine.describe import about
from engine.errors import Ended, NoMoreTime
from engine.events import announce
from engine.models import Sandbox

STEP = 3600  # s a time
LEAST = 60  # s: less is no gain


def extend_sandbox(sandbox: Sandbox, by: Any) -> None:
    """Move its deadline by STEP, or by what the quotas leave of that. Raises Ended or NoMoreTime."""
    with transaction.atomic():
        row = Sandbox.objects.select_for_update().select_related("owner").defer("files", "setup").get(id=sandbox.id)
        if row.state != Sandbox.State.RUNNING or row.owner is None:
            raise Ended(_("It has ended already. Start a fresh one."))
        before, after = row.lifetime_seconds, _longest(row, row.lifetime_seconds + STEP)
        # What `engine.limits` gives back when the day's hours allow it again.
        asked = row.asked | {"lifetime_seconds": max(after, row.asked.get("lifetime_seconds", before))}
        Sandbox.objects.filter(id=row.id).update(lifetime_seconds=after, asked=asked, warned="")
        audit.record(by, "sandbox.extend", row.id, before=before, after=after)
    sandbox.refresh_from_db(fields=["lifetime_seconds", "warned", "state"])
    announce(sandbox)


def _longest(sandbox: Sandbox, wished: int) -> int:
    """Seconds of life it may have in all, up to `wished`. Raises NoMoreTime with the quota that says no."""
    limits = quotas.effective(sandbox.owner)
    machines = Sandbox.objects.filter(state=Sandbox.State.RUNNING, owner=sandbox.owner).count()
    most = int(limits["lifetime_seconds"].value or quotas.LONGEST)
    if most < sandbox.lifetime_seconds + LEAST:
        text = _(
            "A machine of yours may run %(time)s at most (%(origin)s), and this one has all of it. "
            "Copy what you want to keep, or ask your instructor for more."
        )
        raise NoMoreTime(text % {"time": about(most), "origin": quotas.origin(limits["lifetime_seconds"])})
    left = quotas.longest_run(limits, sandbox.owner, machines)
    if left is None:
        return min(wished, most)
    lived = int((timezone.now() - (sandbox.started_at or sandbox.created_at)).total_seconds())
    if lived + left < sandbox.lifetime_seconds + LEAST:
        hours = limits["daily_hours"]
        text = _(
            "Your machines may run %(hours)s hours a day together (%(origin)s), and this one has what is left of them. "
            "Copy what you want to keep, or ask your instructor for more."
        )
        raise NoMoreTime(text % {"hours": f"{hours.value:g}", "origin": quotas.origin(hours)})
    return min(wished, most, lived + left)
