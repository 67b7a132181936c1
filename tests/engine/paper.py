"""Nodes and sandboxes that exist in the database only: for rules, lines and pages, which need no kernel."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User

from engine.lifecycle import SandboxRequest
from engine.models import Node, QuotaRule, Sandbox
from engine.runtime.spec import GIB, MIB

ASKED = {"memory": 512 * MIB, "cpus": 1.0, "pids": 256, "disk": 2 * GIB}
LAB = SandboxRequest(image="linux", label="docker/first", may_wait=True)


def node(name: str = "", **columns: Any) -> Node:
    image = {"title": "Linux", "profile": "basic", "digest": "0" * 64, "limits": ASKED}
    return Node.objects.create(name=name or settings.NODE, **({"max_sandboxes": 8, "images": {"linux": image}} | columns))


def sandbox(owner: User | None, place: Node | None, **columns: Any) -> Sandbox:
    made: Sandbox = Sandbox.objects.create(
        **({"owner": owner, "node": place, "image": "linux", "profile": "basic", "state": "running"} | ASKED | columns)
    )
    return made


def rule(about: User | Group | None = None, **limits: Any) -> QuotaRule:
    if isinstance(about, User):
        return QuotaRule.objects.create(scope="user", user=about, **limits)
    if isinstance(about, Group):
        return QuotaRule.objects.create(scope="group", group=about, **limits)
    return QuotaRule.objects.create(scope="global", **limits)
