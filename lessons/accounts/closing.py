"""The end of an account: its machines stop first, whoever deletes it and wherever."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from engine import audit
from engine.lifecycle import stop_sandbox
from engine.models import Sandbox

LIVE = [state for state in Sandbox.LIVE if state != Sandbox.State.STOPPING]


def is_last_admin(user: User) -> bool:
    """Without this account nobody could administer the site."""
    admins = User.objects.filter(is_superuser=True, is_active=True)
    return user.is_superuser and not admins.exclude(pk=user.pk).exists()


@receiver(pre_delete, sender=User)
def stop_machines(instance: User, **_: Any) -> None:
    """Before their rows lose their owner: one that is being made would go to the warm pool with this person's files in it."""
    for sandbox in Sandbox.objects.filter(owner=instance, state__in=LIVE).select_related("owner", "node").defer("files", "setup"):
        stop_sandbox(sandbox, reason=Sandbox.Reason.USER, by=None, detail="The account was deleted.")


@transaction.atomic
def close(user: User) -> None:
    """Delete the account and all that is kept under it. The audit log keeps its name (docs/quotas.md)."""
    # A start of a machine waits for this lock, and then finds no account.
    locked = User.objects.select_for_update().get(pk=user.pk)
    audit.record(locked, "account.delete", locked.get_username())
    locked.delete()
