"""The site's history: how it was, minute by minute."""

from django.db import models
from django.utils import timezone


class HealthSample(models.Model):
    """One minute of the whole site. Counts of starts and refusals are those since the sample before."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    running = models.PositiveIntegerField()
    warm = models.PositiveIntegerField()
    queued = models.PositiveIntegerField()
    memory_used = models.BigIntegerField(help_text="bytes, of all nodes that answer")
    memory_total = models.BigIntegerField(help_text="bytes")
    load = models.FloatField(help_text="processes that run or want to, one-minute mean, all nodes together")
    cores = models.FloatField()
    started = models.PositiveIntegerField()
    failed = models.PositiveIntegerField(help_text="starts that failed")
    refused = models.PositiveIntegerField()
    start_p50_ms = models.FloatField(null=True, help_text="None: nothing was started")
    start_p95_ms = models.FloatField(null=True)

    class Meta:
        ordering = ("at",)
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
