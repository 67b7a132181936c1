"""Which node takes a sandbox: what each may promise, and what it has promised already."""

from django.db.models import Count, Q, Sum
from django.utils import timezone

from engine.models import HEARTBEAT_LOST, Node, Sandbox


class Room:
    """A node that answers and takes new sandboxes, with what learners' sandboxes hold of it. Warm ones give way and do not count."""

    def __init__(self, node: Node, sandboxes: int, memory: int, cpus: float) -> None:
        self.node = node
        self.sandboxes, self.memory, self.cpus = sandboxes, memory, cpus

    def fits(self, memory: int, cpus: float) -> bool:
        """Whether one of that size fits beside the others."""
        node = self.node
        return (
            self.sandboxes < node.most_sandboxes and self.memory + memory <= node.most_memory and self.cpus + cpus <= node.most_cpus + 1e-9
        )

    def ever_fits(self, memory: int, cpus: float) -> bool:
        """Whether it would fit if the node were empty."""
        return Room(self.node, 0, 0, 0.0).fits(memory, cpus)

    def take(self, memory: int, cpus: float) -> None:
        self.sandboxes += 1
        self.memory += memory
        self.cpus += cpus


def rooms(*, lock: bool = False) -> list[Room]:
    """The nodes that answer and take new sandboxes, the least busy first. `lock`, in a transaction: nobody else places meanwhile."""
    if lock:
        # Apart from the sums below: PostgreSQL locks no rows of a query that groups.
        list(Node.objects.select_for_update().order_by("pk").values_list("pk"))
    alive = Node.objects.filter(draining=False, heartbeat_at__gt=timezone.now() - HEARTBEAT_LOST)
    learners = Q(sandboxes__state__in=Sandbox.LIVE, sandboxes__owner__isnull=False)
    held = alive.annotate(
        held=Count("sandboxes", filter=learners),
        held_memory=Sum("sandboxes__memory", filter=learners, default=0),
        held_cpus=Sum("sandboxes__cpus", filter=learners, default=0.0),
    )
    return [Room(node, node.held, node.held_memory, node.held_cpus) for node in held.order_by("held", "pk")]


def choose(places: list[Room], image: str, memory: int, cpus: float) -> Room | None:
    """The first that has the image and room."""
    return next((room for room in places if image in room.node.images and room.fits(memory, cpus)), None)


def possible(places: list[Room], image: str, memory: int, cpus: float) -> bool:
    """Whether waiting would help at all."""
    return any(image in room.node.images and room.ever_fits(memory, cpus) for room in places)
