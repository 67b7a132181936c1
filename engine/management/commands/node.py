"""`manage.py node`: taking a node out of service without ending anybody's machine, and putting it back."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Q

from engine import audit, waiting
from engine.dispatch import send_to
from engine.models import Node, Sandbox

POLL = 0.5  # s
TOLD_EVERY = 30.0  # s


class Command(BaseCommand):
    help = "List nodes; drain one before an upgrade or a reboot, and resume it."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        commands.add_parser("list", help="the nodes, what runs on them, and whether they take new sandboxes")
        drain = commands.add_parser("drain", help="no new sandboxes, the warm pool emptied; those that run go on to their end")
        drain.add_argument("--wait", action="store_true", help="until the last one has ended")
        drain.add_argument("--timeout", type=float, default=0, metavar="SECONDS", help="with --wait: then give up, with status 1")
        resume = commands.add_parser("resume", help="take new sandboxes again")
        for command in (drain, resume):
            command.add_argument("name", help="as `node list` shows it")

    def handle(self, *_: Any, **options: Any) -> None:
        match options["action"]:
            case "list":
                self.list()
            case "drain":
                node = self.found(options["name"])
                self.drain(node)
                if options["wait"]:
                    self.wait(node, options["timeout"])
            case "resume":
                self.resume(self.found(options["name"]))

    def found(self, name: str) -> Node:
        try:
            return Node.objects.get(name=name)
        except Node.DoesNotExist:
            known = ", ".join(Node.objects.order_by("name").values_list("name", flat=True)) or "none yet"
            raise CommandError(f"There is no node {name!r}. Nodes: {known}.") from None

    def list(self) -> None:
        learners = Count("sandboxes", filter=Q(sandboxes__state__in=Sandbox.LIVE, sandboxes__owner__isnull=False))
        warm = Count("sandboxes", filter=Q(sandboxes__state__in=Sandbox.LIVE, sandboxes__owner__isnull=True))
        nodes = Node.objects.annotate(learners=learners, warm=warm).order_by("name")
        for node in nodes:
            state = "does not answer" if not node.alive else "draining" if node.draining else "in service"
            self.stdout.write(f"{node.name:<20} {state:<16} {node.learners} of {node.most_sandboxes} in use, {node.warm} warm")
        if not nodes:
            self.stdout.write("No node has reported yet. Start an engine worker.")

    def drain(self, node: Node) -> None:
        if Node.objects.filter(pk=node.pk, draining=False).update(draining=True):
            audit.record(None, "node.drain", node.name)
        self.tell(node)
        self.stdout.write(f"{node.name} takes no new sandboxes. {self.left(node)} still there; `node resume {node.name}` takes it back.")

    def resume(self, node: Node) -> None:
        if Node.objects.filter(pk=node.pk, draining=True).update(draining=False):
            audit.record(None, "node.resume", node.name)
        self.tell(node)
        waiting.admit()
        self.stdout.write(f"{node.name} takes new sandboxes.")

    def tell(self, node: Node) -> None:
        """Empty or fill its warm pool now rather than at its next look."""
        send_to(node, "fill_pool")

    def left(self, node: Node) -> int:
        return Sandbox.objects.filter(node=node, state__in=Sandbox.LIVE).count()

    def wait(self, node: Node, timeout: float) -> None:
        begun = told = time.monotonic()
        while left := self.left(node):
            now = time.monotonic()
            if timeout and now - begun > timeout:
                raise CommandError(f"{left} sandboxes still run on {node.name}. It stays drained; wait longer, or stop them.")
            if now - told >= TOLD_EVERY:
                told = now
                self.stdout.write(f"{left} sandboxes left")
            time.sleep(POLL)
        self.stdout.write(f"{node.name} is empty.")
