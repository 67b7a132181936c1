"""Nodes, sandboxes, terminals and streamed commands, as an operator sees them."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from engine.audit_models import AuditEntry
from engine.health_models import HealthSample
from engine.preview.models import Preview
from engine.quota_models import QuotaRule
from engine.saved_models import SavedMachine

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "HEARTBEAT_LOST",
    "AuditEntry",
    "Execution",
    "HealthSample",
    "Node",
    "Preview",
    "QuotaRule",
    "Sandbox",
    "SavedMachine",
    "Terminal",
    "TerminalGrant",
]

HEARTBEAT_LOST = timedelta(seconds=30)


class Node(models.Model):
    """A host that runs sandboxes: one engine worker and one terminal gateway."""

    name = models.CharField(max_length=63, unique=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    draining = models.BooleanField(default=False, help_text="Takes no new sandboxes; those it has run on to their end.")
    max_sandboxes = models.PositiveIntegerField(default=0, help_text="As its worker reckons from settings and memory.")
    images = models.JSONField(default=dict, help_text="Image name -> title, profile, digest and default limits.")
    memory = models.BigIntegerField(default=0, help_text="bytes, as its worker measured them; 0: not yet")
    cpus = models.FloatField(default=0, help_text="cores, as its worker counted them; 0: not yet")
    sandboxes_cap = models.PositiveIntegerField(null=True, blank=True, help_text="Most sandboxes at once; empty: as its worker reckons.")
    memory_cap = models.BigIntegerField(null=True, blank=True, help_text="bytes for sandboxes; empty: as measured")
    cpus_cap = models.FloatField(null=True, blank=True, help_text="cores for sandboxes; empty: as counted")
    # Most machines sleep most of the time: 200 idle ones fit into 24 GB though their limits add up to eight times that.
    memory_overcommit = models.FloatField(default=10, help_text="How often its memory may be promised.")
    cpu_overcommit = models.FloatField(default=200, help_text="How often its cores may be promised.")

    def __str__(self) -> str:
        return self.name

    @property
    def most_sandboxes(self) -> int:
        return self.max_sandboxes if self.sandboxes_cap is None else self.sandboxes_cap

    @property
    def most_memory(self) -> float:
        """Bytes it may promise to sandboxes."""
        capacity = self.memory_cap if self.memory_cap is not None else self.memory
        return capacity * self.memory_overcommit if capacity else float("inf")

    @property
    def most_cpus(self) -> float:
        """Cores it may promise to sandboxes."""
        capacity = self.cpus_cap if self.cpus_cap is not None else self.cpus
        return capacity * self.cpu_overcommit if capacity else float("inf")

    @property
    def alive(self) -> bool:
        return timezone.now() - self.heartbeat_at < HEARTBEAT_LOST

    @property
    def queue(self) -> str:
        return f"engine.{self.name}"

    @property
    def tending_queue(self) -> str:
        return f"tend.{self.name}"


class Sandbox(models.Model):
    """One isolated container on one node. creating -> ready (warm pool) -> running -> stopping -> stopped, or failed.

    When every node is full it is `queued` first, and has no node.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        CREATING = "creating"
        READY = "ready"
        RUNNING = "running"
        STOPPING = "stopping"
        STOPPED = "stopped"
        FAILED = "failed"

    class Reason(models.TextChoices):
        IDLE = "idle"
        DEADLINE = "deadline"
        USER = "user"
        ADMIN = "admin"
        EVICTED = "evicted"
        NODE_LOST = "node-lost"
        FAILED = "failed"
        OUT_OF_MEMORY = "out-of-memory"
        QUOTA = "quota"
        SAVED = "saved"

    LIVE = (State.QUEUED, State.CREATING, State.READY, State.RUNNING, State.STOPPING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    node = models.ForeignKey(Node, on_delete=models.PROTECT, null=True, blank=True, related_name="sandboxes", help_text="None: it waits.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="sandboxes",
        help_text="None: warm, nobody's yet.",
    )
    label = models.CharField(max_length=200, blank=True, help_text="What it is for: the lesson, or the command line that asked for it.")
    image = models.CharField(max_length=63)
    image_digest = models.CharField(max_length=64, blank=True)
    profile = models.CharField(max_length=16)
    memory = models.BigIntegerField(help_text="bytes")
    cpus = models.FloatField(help_text="cores")
    pids = models.PositiveIntegerField()
    disk = models.BigIntegerField(help_text="bytes")
    network = models.CharField(max_length=16, default="lab")
    idle_seconds = models.PositiveIntegerField(default=900)
    lifetime_seconds = models.PositiveIntegerField(default=7200)
    asked = models.JSONField(default=dict, blank=True, help_text="What its lab asked for; a looser quota gives it back.")
    setup = models.TextField(blank=True, help_text="Shell script run in it before its prompt is shown.")
    files = models.BinaryField(default=bytes, blank=True, help_text="A tar unpacked at / before the set-up.")

    state = models.CharField(max_length=16, choices=State.choices, default=State.CREATING)
    claim = models.CharField(
        max_length=40, blank=True, help_text="The task that works on it now (create, prepare or destroy), its worker and its process."
    )
    claimed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    steps = models.JSONField(default=list)
    warned = models.CharField(max_length=16, blank=True, help_text="The end its owner has been warned of: idle or deadline.")
    queued_at = models.DateTimeField(null=True, blank=True, help_text="When it joined the line; empty: it did not have to.")
    notices = models.JSONField(default=list, blank=True, help_text="Limits it ran into and lived on: id, at, kind, title, text.")
    created_at = models.DateTimeField(default=timezone.now, help_text="When it was asked for, or got its node after waiting.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When it became its owner's.")
    last_activity_at = models.DateTimeField(default=timezone.now, help_text="While it waits: when its page was last there.")
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=16, choices=Reason.choices, blank=True)
    end_detail = models.TextField(blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name_plural = "sandboxes"
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["state", "node"]), models.Index(fields=["owner", "state"]))

    def __str__(self) -> str:
        return f"{self.image} {self.id.hex[:12]}"

    @property
    def live(self) -> bool:
        return self.state in self.LIVE

    @property
    def deadline_at(self) -> datetime:
        return (self.started_at or self.created_at) + timedelta(seconds=self.lifetime_seconds)

    @property
    def idle_ends_at(self) -> datetime:
        return self.last_activity_at + timedelta(seconds=self.idle_seconds)

    def may_be_used_by(self, user: "User | Any") -> bool:
        """Terminals belong to the sandbox's owner alone, whatever else an account may do."""
        return bool(user.is_authenticated and self.owner_id is not None and self.owner_id == user.pk)


class Terminal(models.Model):
    """One PTY in a sandbox; outlives the browser tab and the web server. opening -> open <-> restarting; closing, and it is gone."""

    class State(models.TextChoices):
        OPENING = "opening"
        OPEN = "open"
        RESTARTING = "restarting"
        CLOSING = "closing"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sandbox = models.ForeignKey(Sandbox, on_delete=models.CASCADE, related_name="terminals")
    number = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=40, blank=True, help_text="As its owner calls it.")
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    shell = models.PositiveSmallIntegerField(default=1, help_text="Rises with each fresh shell in it.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("number",)
        permissions = (("watch_terminal", "Can watch the terminals of others"),)
        constraints = (models.UniqueConstraint(fields=["sandbox", "number"], name="one_terminal_per_number"),)

    def __str__(self) -> str:
        return self.title or f"Terminal {self.number}"


class TerminalGrant(models.Model):
    """The owner lets a watcher write in a terminal. It ends with the watching."""

    terminal = models.ForeignKey(Terminal, on_delete=models.CASCADE, related_name="grants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["terminal", "user"], name="one_grant_per_watcher"),)


class Execution(models.Model):
    """A command streamed through conmon's attach socket, asked for by `manage.py sandbox exec`."""

    class State(models.TextChoices):
        QUEUED = "queued"
        READY = "ready"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sandbox = models.ForeignKey(Sandbox, on_delete=models.CASCADE, related_name="executions")
    argv = models.JSONField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return " ".join(self.argv)
