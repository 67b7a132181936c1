"""The beat goes on when the clock is set."""

from datetime import UTC, datetime, timedelta

import pytest
from celery.beat import Scheduler
from celery.schedules import schedule
from django.conf import settings

from engine.steady import Steady
from playground.celery import app

EVERY = timedelta(seconds=5)


@pytest.mark.parametrize(("ago", "due"), [(1, False), (6, True), (-3600, True)])
def test_it_works(ago: int, due: bool) -> None:
    assert Steady(EVERY, app=app).is_due(datetime.now(UTC) - timedelta(seconds=ago)).is_due is due


def test_celerys_own_would_wait() -> None:
    """What this is for: it can go when this fails."""
    assert not schedule(EVERY, app=app).is_due(datetime.now(UTC) + timedelta(hours=1))[0]


def test_the_tick_is_steady_and_beat_takes_it() -> None:
    scheduler = Scheduler(app=app, lazy=True)
    scheduler.update_from_dict(settings.CELERY_BEAT_SCHEDULE)
    entry = scheduler.schedule["tick"]
    assert isinstance(entry.schedule, Steady)
    entry.last_run_at = datetime.now(UTC) + timedelta(hours=1)
    assert entry.is_due()[0]
    assert not next(entry).is_due()[0]
