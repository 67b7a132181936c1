"""Machines that are kept: a disk on its node, and what is needed to start it again."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone


class SavedMachine(models.Model):
    """saving -> saved -> running -> saved ..., until its owner or the retention deletes it. Its disk is at <state>/saved/<id> on its node.

    A sandbox that was resumed from it writes on the same disk, so however that one ends, what it wrote is kept.
    """

    class State(models.TextChoices):
        SAVING = "saving"
        SAVED = "saved"
        RUNNING = "running"
        FAILED = "failed"
        DELETING = "deleting"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="saved_machines",
        help_text="None: the account is deleted, and so is this, in a moment.",
    )
    node = models.ForeignKey("engine.Node", on_delete=models.PROTECT, related_name="saved_machines")
    sandbox = models.OneToOneField(
        "engine.Sandbox",
        on_delete=models.SET_NULL,
        null=True,
        related_name="saved_as",
        help_text="Which it is saved from, or was last resumed in.",
    )
    name = models.CharField(max_length=100)
    label = models.CharField(max_length=200, blank=True, help_text="What it is for: the lesson.")
    image = models.CharField(max_length=63)
    image_digest = models.CharField(max_length=64, help_text="The very build its files lie over.")
    profile = models.CharField(max_length=16)
    network = models.CharField(max_length=16)
    terminals = models.PositiveSmallIntegerField(default=1)
    wishes = models.JSONField(default=dict, help_text="The limits and times its lab asked for: quotas bind them anew at each resume.")
    size = models.BigIntegerField(default=0, help_text="bytes its disk takes on the node")
    state = models.CharField(max_length=16, choices=State.choices, default=State.SAVING)
    reason = models.TextField(blank=True, help_text="Why it could not be saved or resumed.")
    created_at = models.DateTimeField(default=timezone.now)
    saved_at = models.DateTimeField(default=timezone.now, help_text="When it was last put away.")

    class Meta:
        ordering = ("-saved_at",)
        indexes = (models.Index(fields=["owner", "state"]), models.Index(fields=["node", "state"]))

    def __str__(self) -> str:
        return self.name

    @property
    def resumable(self) -> bool:
        """Also one that would not start: the fault may have been mended."""
        return self.state in (self.State.SAVED, self.State.FAILED)

    @property
    def expires_at(self) -> datetime | None:
        """When it is deleted if nobody resumes it; None where the site keeps them for good."""
        return self.saved_at + timedelta(days=settings.SAVED_DAYS) if settings.SAVED_DAYS else None
