"""Nodes and sandboxes in Django's admin: to look at, and to stop."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from engine import audit, saving
from engine.errors import Busy
from engine.lifecycle import stop_sandbox
from engine.models import AuditEntry, Node, Sandbox, SavedMachine
from engine.runtime.spec import format_size


@admin.register(Node)
class NodeAdmin(ModelAdmin):  # type: ignore[misc]  # django-unfold is untyped
    list_display = ("name", "alive", "draining", "max_sandboxes", "heartbeat_at")
    readonly_fields = ("name", "heartbeat_at", "max_sandboxes", "memory", "cpus", "images")

    @admin.display(boolean=True)
    def alive(self, node: Node) -> bool:
        return node.alive

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Node, form: Any, change: bool) -> None:
        # The changed columns alone: the node's worker writes the others every few seconds.
        obj.save(update_fields=form.changed_data)
        audit.record(request.user, "node.change", obj, after={name: getattr(obj, name) for name in form.changed_data})


@admin.register(Sandbox)
class SandboxAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("id", "state", "owner", "label", "image", "node", "memory_limit", "created_at", "end_reason")
    list_filter = ("state", "image", "node", "end_reason")
    search_fields = ("id", "owner__username", "label")
    list_select_related = ("owner", "node")
    date_hierarchy = "created_at"
    actions = ("stop",)
    exclude = ("files",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Sandbox | None = None) -> bool:
        """Seen, not edited: a row says what the host has. The action still shows, for who may change sandboxes."""
        return obj is None and bool(super().has_change_permission(request))

    def has_delete_permission(self, request: HttpRequest, obj: Sandbox | None = None) -> bool:
        return False

    @admin.display(description="memory", ordering="memory")
    def memory_limit(self, sandbox: Sandbox) -> str:
        return format_size(sandbox.memory)

    @admin.action(description="Stop the chosen sandboxes", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: "QuerySet[Sandbox]") -> None:
        stopped = 0
        for sandbox in queryset.filter(state__in=Sandbox.LIVE):
            stop_sandbox(sandbox, Sandbox.Reason.ADMIN, by=request.user, detail="Ask your instructor if you do not know why.")
            stopped += 1
        self.message_user(request, f"{stopped} stopping; {queryset.count() - stopped} had ended already.", messages.SUCCESS)


@admin.register(SavedMachine)
class SavedMachineAdmin(ModelAdmin):  # type: ignore[misc]
    """What learners keep, the largest first; to look at, and to delete where a disk is full."""

    list_display = ("name", "owner", "label", "disk", "state", "node", "saved_at")
    list_filter = ("state", "node")
    search_fields = ("id", "name", "owner__username", "label")
    list_select_related = ("owner", "node")
    ordering = ("-size",)
    actions = ("remove",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: SavedMachine | None = None) -> bool:
        return obj is None and bool(super().has_change_permission(request))

    def has_delete_permission(self, request: HttpRequest, obj: SavedMachine | None = None) -> bool:
        """Not the row alone: the action deletes the disk with it."""
        return False

    @admin.display(description="disk", ordering="size")
    def disk(self, saved: SavedMachine) -> str:
        return format_size(saved.size)

    @admin.action(description="Delete the chosen saved machines with their disks", permissions=["change"])
    def remove(self, request: HttpRequest, queryset: "QuerySet[SavedMachine]") -> None:
        for saved in queryset:
            try:
                saving.delete(saved, request.user)
            except Busy as error:
                self.message_user(request, f"{saved}: {error.text}", messages.WARNING)
            else:
                self.message_user(request, f"{saved} is being deleted.", messages.SUCCESS)


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):  # type: ignore[misc]
    """To search and to read. Not even a superuser may change it: the database refuses as well."""

    list_display = ("at", "actor", "action", "subject", "why")
    list_filter = ("action", "at")
    search_fields = ("actor", "subject", "detail")
    date_hierarchy = "at"

    @admin.display(description="why")
    def why(self, entry: AuditEntry) -> str:
        named = (str(entry.detail[name]) for name in ("reason", "title", "detail", "label", "note") if entry.detail.get(name))
        return ": ".join(named)[:120] or "-"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False
