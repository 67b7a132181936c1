"""The audit log: who did what to which, and why. Rows are written once and stay as they are."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone


class AppendOnly(Exception):
    """Somebody tried to change or remove an entry of the audit log."""

    def __init__(self) -> None:
        super().__init__("The audit log can only be added to.")


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **_: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        raise AppendOnly


class AuditEntry(models.Model):
    """The database refuses updates and deletes too, by triggers (`engine.audit_triggers`)."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    # A name, not a foreign key: the entry outlives the account, and a key that is set to null would change it.
    actor = models.CharField(max_length=150, help_text="Account that did it; `engine` for what the site did by itself.")
    action = models.CharField(max_length=40, db_index=True)
    subject = models.CharField(max_length=200, help_text="What it was done to.")
    detail = models.JSONField(default=dict, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = "audit entry", "audit log"
        ordering = ("-at", "-id")
        # Nobody is given a right that nobody can have.
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.subject}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        raise AppendOnly
