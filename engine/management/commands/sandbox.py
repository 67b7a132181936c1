"""`manage.py sandbox`: an operator's way to sandboxes, the whole way through queue and worker."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from engine import audit
from engine.attach import stream
from engine.describe import describe
from engine.errors import Refused
from engine.lifecycle import SandboxRequest, request_sandbox, stop_sandbox
from engine.models import Execution, Sandbox
from engine.runtime.errors import InvalidSpec, SandboxError
from engine.runtime.spec import parse_size

Found = TypeVar("Found")
OPERATOR = "operator"
POLL = 0.02  # s
START_TIMEOUT, STOP_TIMEOUT = 120.0, 60.0  # s


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except InvalidSpec as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class Command(BaseCommand):
    help = "Start, list, stop sandboxes and run commands in them."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        run = commands.add_parser("run", help="start a sandbox, run a command in it, remove it; exits with the command's status")
        start = commands.add_parser("start", help="start a sandbox and print its id")
        for command in (run, start):
            command.add_argument("--image", required=True)
            command.add_argument("--profile", choices=["basic", "docker"], help="default: the image's")
            command.add_argument("--memory", type=_size, help="for example 512MiB")
            command.add_argument("--cpus", type=float)
            command.add_argument("--pids", type=int)
            command.add_argument("--disk", type=_size)
            command.add_argument("--network", choices=["none", "lab", "internet"])
        run.add_argument("argv", nargs="+", metavar="CMD", help="the command, after --")
        execute = commands.add_parser("exec", help="run a command in a running sandbox; exits with its status")
        execute.add_argument("id", type=UUID)
        execute.add_argument("argv", nargs="+", metavar="CMD", help="the command, after --")
        listing = commands.add_parser("list", help="the sandboxes that are there")
        listing.add_argument("--json", action="store_true")
        listing.add_argument("--all", action="store_true", help="also those that have ended")
        stop = commands.add_parser("stop", help="stop a sandbox and wait until it is gone")
        stop.add_argument("id", type=UUID)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            match options["action"]:
                case "run":
                    sys.exit(self.run(options))
                case "start":
                    self.stdout.write(str(self.start(options).id))
                case "exec":
                    sys.exit(self.stream(self.running(options["id"]), options["argv"]))
                case "list":
                    self.list(as_json=options["json"], ended=options["all"])
                case "stop":
                    self.stop(self.found(options["id"]))
        except Refused as error:
            raise CommandError(f"{error.title}: {error.text}") from error

    def found(self, sandbox_id: UUID) -> Sandbox:
        try:
            return Sandbox.objects.get(id=sandbox_id)
        except Sandbox.DoesNotExist:
            raise CommandError(f"There is no sandbox {sandbox_id}. `sandbox list` shows those that are there.") from None

    def running(self, sandbox_id: UUID) -> Sandbox:
        sandbox = self.found(sandbox_id)
        if sandbox.state not in (Sandbox.State.RUNNING, Sandbox.State.READY):
            raise CommandError(f"Sandbox {sandbox_id} is {sandbox.state}: commands run only in a running one.")
        return sandbox

    def start(self, options: dict[str, Any]) -> Sandbox:
        """Request a sandbox for the operator's own account and wait until it runs."""
        wishes = {name: options[name] for name in ("image", "profile", "memory", "cpus", "pids", "disk", "network")}
        operator = self.operator()
        with audit.refusals(operator, "manage.py sandbox"):
            sandbox = request_sandbox(operator, SandboxRequest(**wishes, label="manage.py sandbox"))
        self.wait(sandbox, lambda: sandbox.state != Sandbox.State.CREATING, START_TIMEOUT, "start")
        if sandbox.state != Sandbox.State.RUNNING:
            end = describe(sandbox)["end"]
            raise CommandError(f"{end['title']}: {end['text']}" if end else f"The sandbox is {sandbox.state}.")
        return sandbox

    def operator(self) -> Any:
        """The account that owns what operators start here. It has no password: nobody can log in as it."""
        user, made = get_user_model().objects.get_or_create(username=OPERATOR)
        if made:
            user.set_unusable_password()
            user.save()
        return user

    def run(self, options: dict[str, Any]) -> int:
        sandbox = self.start(options)
        try:
            return self.stream(sandbox, options["argv"])
        finally:
            self.stop(sandbox)

    def stream(self, sandbox: Sandbox, argv: list[str]) -> int:
        """Stream stdin, stdout and stderr to and from the command; returns its exit status."""
        if sandbox.node is None:
            raise CommandError(f"The sandbox {sandbox.id} has no node.")
        execution = Execution.objects.create(sandbox=sandbox, argv=argv)
        current_app.send_task("engine.tasks.start_execution", args=[execution.id.hex], queue=sandbox.node.queue)
        self.wait(execution, lambda: execution.state != Execution.State.QUEUED, START_TIMEOUT, "start the command")
        if execution.state == Execution.State.FAILED:
            raise CommandError(execution.error)
        directory = settings.STATE / "sandboxes" / sandbox.id.hex / "commands" / execution.id.hex
        if not os.access(directory, os.R_OK):
            raise CommandError(f"The sandbox runs on node {sandbox.node}: run this command there, as root.")
        try:
            return stream(directory, sandbox.id.hex)
        except SandboxError as error:
            raise CommandError(str(error)) from error

    def stop(self, sandbox: Sandbox) -> None:
        stop_sandbox(sandbox, Sandbox.Reason.ADMIN, detail="An operator stopped it from the command line.")
        self.wait(sandbox, lambda: not sandbox.live, STOP_TIMEOUT, "stop")

    def wait(self, row: Sandbox | Execution, arrived: Callable[[], bool], timeout: float, what: str) -> None:
        end = time.monotonic() + timeout
        while not arrived():
            if time.monotonic() > end:
                raise CommandError(f"The engine did not {what} within {timeout:.0f} s. Does its worker run? See /healthz.")
            time.sleep(POLL)
            row.refresh_from_db()

    def list(self, *, as_json: bool, ended: bool) -> None:
        rows = Sandbox.objects.select_related("owner", "node")
        if not ended:
            rows = rows.filter(state__in=Sandbox.LIVE)
        if as_json:
            keys = ("id", "state", "image", "profile", "node", "owner", "label", "created_at", "end_reason")
            values = [{key: str(getattr(row, key) or "") for key in keys} for row in rows]
            self.stdout.write(json.dumps(values, indent=2))
            return
        for row in rows:
            self.stdout.write(f"{row.id}  {row.state:<9} {row.image:<10} {row.owner or 'warm pool':<12} {row.label}")
        if not rows:
            self.stdout.write("No sandboxes.")
