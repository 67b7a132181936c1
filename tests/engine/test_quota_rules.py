"""Which rule gives each limit, and what is left of the day."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from engine import quotas
from engine.models import QuotaRule
from engine.runtime.spec import GIB, MIB
from tests.engine import paper

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_it_works(ada: User, bob: User) -> None:
    """The tightest wins limit by limit, and each value says whose rule it is."""
    group = Group.objects.create(name="Class 4b")
    ada.groups.add(group)
    everybody = paper.rule(memory=2 * GIB, concurrent=3, daily_hours=8)
    class_4b = paper.rule(group, memory=1 * GIB, disk=4 * GIB)
    hers = paper.rule(ada, concurrent=5, daily_hours=2)
    limits = quotas.effective(ada)
    assert {name: (limit.value, limit.rule) for name, limit in limits.items() if limit.rule} == {
        "memory": (1 * GIB, class_4b),
        "disk": (4 * GIB, class_4b),
        "concurrent": (3, everybody),
        "daily_hours": (2, hers),
    }
    assert quotas.effective(bob)["memory"] == (2 * GIB, everybody)


def test_every_limit_is_documented() -> None:
    rows = re.findall(r"^\| ([A-Z][\w ]+?) \| (machine|user) \|", (settings.BASE_DIR / "docs" / "quotas.md").read_text(), re.M)
    assert rows == [(field.label, "machine" if field.per == "sandbox" else "user") for field in quotas.FIELDS.values()]


def test_without_rules_the_built_in_limits_hold(ada: User, settings: Any) -> None:
    settings.MAX_SANDBOXES_PER_USER = 7
    limits = quotas.effective(ada)
    assert limits["concurrent"] == (7, None)
    assert limits["lifetime_seconds"] == (quotas.LONGEST, None)
    assert limits["memory"] == (None, None)
    assert limits.keys() == quotas.FIELDS.keys()


def test_a_rule_takes_the_place_of_what_is_built_in(ada: User, settings: Any) -> None:
    settings.MAX_SANDBOXES_PER_USER = 2
    paper.rule(concurrent=6)
    assert quotas.effective(ada)["concurrent"].value == 6


def test_zero_is_a_limit_and_not_none(ada: User) -> None:
    paper.rule(concurrent=3, daily_hours=1)
    zero = paper.rule(ada, concurrent=0, daily_hours=0)
    limits = quotas.effective(ada)
    assert (limits["concurrent"], limits["daily_hours"]) == ((0, zero), (0, zero))


def test_two_groups_with_rules_count_once_each(ada: User) -> None:
    for name, memory in (("a", 300 * MIB), ("b", 200 * MIB)):
        group = Group.objects.create(name=name)
        ada.groups.add(group)
        paper.rule(group, memory=memory)
    assert str(quotas.effective(ada)["memory"].rule) == "group b"


@given(st.lists(st.dictionaries(st.sampled_from(sorted(quotas.FIELDS)), st.integers(0, 1000)), max_size=6))
def test_no_rule_is_ever_looser_than_what_comes_out(values: list[dict[str, int]]) -> None:
    rules = [QuotaRule(scope="global", **value) for value in values]
    for name, limit in quotas.tightest(rules).items():
        said = [value[name] for value in values if name in value]
        assert limit.value == (min(said) if said else quotas.built_in(name))
        assert limit.rule is None or getattr(limit.rule, name) == limit.value


@pytest.mark.parametrize(
    "columns", [{"scope": "global", "user": "ada"}, {"scope": "user"}, {"scope": "group", "user": "ada"}, {"scope": "group"}]
)
def test_the_database_refuses_a_rule_about_nobody_in_particular(ada: User, columns: dict[str, str]) -> None:
    subject = {"user": ada} if "user" in columns else {}
    with pytest.raises(IntegrityError, match="quota_scope_names_its_subject"), transaction.atomic():
        QuotaRule.objects.create(**{"scope": columns["scope"], "concurrent": 1} | subject)


def test_the_database_refuses_a_second_rule_for_everybody(ada: User) -> None:
    paper.rule(concurrent=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        paper.rule(concurrent=2)


@time_machine.travel(NOON, tick=False)
def test_only_todays_part_of_each_run_counts(ada: User, bob: User) -> None:
    node = paper.node()

    def run(owner: User, state: str, start: float, end: float | None) -> None:
        ended = None if end is None else NOON + timedelta(hours=end)
        paper.sandbox(owner, node, state=state, started_at=NOON + timedelta(hours=start), ended_at=ended)

    run(ada, "running", -2, None)  # two hours until now
    run(ada, "stopped", -5, -4)  # one
    run(ada, "stopped", -14, -11)  # from ten in the evening: one after midnight
    run(ada, "stopped", -20, -13)  # yesterday
    run(bob, "running", -9, None)
    paper.sandbox(ada, node, state="creating")  # has not begun
    assert quotas.used_today(ada) == timedelta(hours=4)


@time_machine.travel(datetime(2026, 3, 10, 23, 30, tzinfo=UTC), tick=False)
def test_the_day_is_the_sites_own(ada: User, settings: Any) -> None:
    """Half past eleven in London is half past one in Athens: the day there is ninety minutes old."""
    settings.TIME_ZONE = "Europe/Athens"
    started = datetime(2026, 3, 10, 20, tzinfo=UTC)
    paper.sandbox(ada, paper.node(), started_at=started)
    assert quotas.used_today(ada) == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("clock", "hours", "run", "seconds"),
    [
        (NOON, 3, 2, 3600),  # one of three hours is left
        (NOON, 2, 3, 0),
        (NOON, 20, 1, 31 * 3600 + 3600),  # what is left reaches midnight; then there are twenty new ones
        (NOON.replace(hour=23), 2, 0, 3 * 3600),
    ],
)
def test_a_machine_may_run_until_the_hours_are_used(ada: User, clock: datetime, hours: float, run: float, seconds: int) -> None:
    with time_machine.travel(clock, tick=False):
        if run:
            paper.sandbox(ada, paper.node(), state="stopped", started_at=clock - timedelta(hours=run), ended_at=clock)
        limits = {"daily_hours": quotas.Limit(hours, None)}
        assert quotas.longest_run(limits, ada) == seconds
