"""A beat that a wall clock set back does not silence.

Celery reckons by wall time: set back an hour, its own schedule would wait an hour until the last run is five seconds old.
"""

from datetime import datetime
from typing import Any

from celery.schedules import schedstate, schedule


class Steady(schedule):
    """Every so often; at once when the last run lies in the future."""

    def is_due(self, last_run_at: datetime) -> Any:
        if self.maybe_make_aware(last_run_at) > self.now():
            return schedstate(is_due=True, next=self.seconds)
        return super().is_due(last_run_at)
