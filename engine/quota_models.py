"""The limits that admins set."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class QuotaRule(models.Model):
    """Limits for everybody, a group, or one user. An empty one says nothing; of several that speak, the tightest wins."""

    class Scope(models.TextChoices):
        GLOBAL = "global", "Everybody"
        GROUP = "group", "A group"
        USER = "user", "One user"

    scope = models.CharField(max_length=8, choices=Scope.choices)
    group: "models.ForeignKey[Group | None, Group | None]" = models.ForeignKey(
        Group, on_delete=models.CASCADE, null=True, blank=True, related_name="quota_rules"
    )
    user: "models.ForeignKey[User | None, User | None]" = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="quota_rules"
    )
    memory = models.BigIntegerField(null=True, blank=True, help_text="bytes per sandbox")
    cpus = models.FloatField(null=True, blank=True, help_text="cores per sandbox")
    pids = models.PositiveIntegerField(null=True, blank=True, help_text="processes per sandbox")
    disk = models.BigIntegerField(null=True, blank=True, help_text="bytes per sandbox")
    idle_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="per sandbox")
    lifetime_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="per sandbox")
    concurrent = models.PositiveIntegerField(null=True, blank=True, help_text="sandboxes per user at once")
    daily_hours = models.FloatField(null=True, blank=True, help_text="hours of running sandboxes per user and day")
    saved_disk = models.BigIntegerField(null=True, blank=True, help_text="bytes of saved machines per user")
    note = models.CharField(max_length=200, blank=True, help_text="Why it is so, for the next admin.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("scope", "id")
        constraints = (
            models.CheckConstraint(
                name="quota_scope_names_its_subject",
                condition=Q(scope="global", group=None, user=None)
                | Q(scope="group", group__isnull=False, user=None)
                | Q(scope="user", group=None, user__isnull=False),
            ),
            models.UniqueConstraint(fields=["scope"], condition=Q(scope="global"), name="one_global_quota"),
            models.UniqueConstraint(fields=["group"], condition=Q(scope="group"), name="one_quota_per_group"),
            models.UniqueConstraint(fields=["user"], condition=Q(scope="user"), name="one_quota_per_user"),
        )

    def __str__(self) -> str:
        if self.group is not None:
            return f"group {self.group.name}"
        if self.user is not None:
            return f"user {self.user.get_username()}"
        return "everybody"
