"""A copy of what the site keeps about a person, as JSON. Other parts of the site add theirs to SECTIONS."""

from collections.abc import Callable
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from engine.models import AuditEntry, Sandbox, SavedMachine
from lessons.models import LabSession, LessonProgress

Section = Callable[[User], Any]


def profile(user: User) -> dict[str, Any]:
    return {
        "username": user.get_username(),
        "name": user.get_full_name(),
        "joined_at": user.date_joined,
        "last_login_at": user.last_login,
        "groups": list(user.groups.values_list("name", flat=True)),
        "emails": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
        # What proves who they are stays here: a stolen copy must not sign anybody in.
        "second_factors": list(Authenticator.objects.filter(user=user).values("type", "created_at", "last_used_at")),
        "sessions": list(UserSession.objects.filter(user=user).values("created_at", "ip", "user_agent")),
    }


def lesson_progress(user: User) -> list[dict[str, Any]]:
    rows = LessonProgress.objects.filter(user=user).select_related("lesson__chapter__course").order_by("first_seen_at")
    rows = rows.defer("lesson__source", "lesson__html", "lesson__blocks", "lesson__outline")
    return [
        {
            "lesson": row.lesson.path,
            "first_seen_at": row.first_seen_at,
            "last_seen_at": row.last_seen_at,
            "done_at": row.done_at,
            "left_at": row.heading,
            "commands_run": len(row.ran),
        }
        for row in rows
    ]


def lab_sessions(user: User) -> list[dict[str, Any]]:
    rows = LabSession.objects.filter(user=user).select_related("lesson__chapter__course").order_by("created_at")
    rows = rows.defer("lesson__source", "lesson__html", "lesson__blocks", "lesson__outline")
    return [{"lesson": row.lesson.path, "created_at": row.created_at, "ended_at": row.ended_at} for row in rows]


def machines(user: User) -> list[dict[str, Any]]:
    columns = ("label", "image", "state", "created_at", "started_at", "ended_at", "end_reason", "end_detail")
    return list(Sandbox.objects.filter(owner=user).order_by("created_at").values(*columns))


def saved_machines(user: User) -> list[dict[str, Any]]:
    columns = ("name", "label", "image", "state", "size", "created_at", "saved_at")
    return list(SavedMachine.objects.filter(owner=user).order_by("created_at").values(*columns))


def audit_log(user: User) -> list[dict[str, Any]]:
    """Entries of what they did, and of what was done to their machines."""
    name = user.get_username()
    about = Q(actor=name) | Q(detail__owner=name)
    rows = AuditEntry.objects.filter(about).order_by("at", "id")
    return [dict(row) for row in rows.values("at", "actor", "action", "subject", "detail")]


SECTIONS: dict[str, Section] = {
    "profile": profile,
    "lesson_progress": lesson_progress,
    "lab_sessions": lab_sessions,
    "machines": machines,
    "saved_machines": saved_machines,
    "audit_log": audit_log,
}


def everything(user: User) -> dict[str, Any]:
    return {"exported_at": timezone.now()} | {name: section(user) for name, section in SECTIONS.items()}
