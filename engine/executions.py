"""The end of streamed commands. One costs the host a process outside the sandbox's limits, so there are few at once and none stays."""

from engine.files_link import ARGV
from engine.models import Execution, Sandbox
from engine.runtime import sandbox as runtime
from engine.runtime.errors import StepFailed
from engine.runtime.host import Host

MOST_FILE_SERVICES = 3  # in one sandbox: one per web process, and those of one that was killed a moment ago


def make_room(host: Host, execution: Execution) -> None:
    """Before a file service starts: end its sandbox's oldest ones, so that with it there are MOST_FILE_SERVICES at most."""
    if execution.argv == ARGV:
        before = Execution.objects.filter(sandbox=execution.sandbox, argv=ARGV, created_at__lt=execution.created_at)
        for old in before.select_related("sandbox").order_by("-created_at")[MOST_FILE_SERVICES - 1 :]:
            end(host, old)


def end(host: Host, execution: Execution) -> None:
    """Remove its conmon, its directory and its row. No error where they are gone."""
    running = Sandbox.objects.filter(id=execution.sandbox.id, state__in=(Sandbox.State.RUNNING, Sandbox.State.READY))
    try:
        if running.exists():  # or all goes with its sandbox, and two would remove the same directory
            runtime.close_command(host, execution.sandbox.id.hex, execution.id.hex)
    except FileNotFoundError:
        pass
    except StepFailed:
        return  # conmon hangs: the row stays, and the next of this kind tries again
    execution.delete()
