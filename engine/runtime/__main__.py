"""`python -m engine.runtime`: the sandbox maker on its own, for an operator on the host. Root only."""

import argparse
import json
import os
import shutil
import sys
import uuid
from pathlib import Path

from engine.runtime import images, instance, sandbox
from engine.runtime.errors import SandboxError
from engine.runtime.host import Host
from engine.runtime.spec import Limits, checked_spec, parse_size

DEFAULT_STATE = Path(os.environ.get("PLAYGROUND_STATE", "/var/lib/playground"))
RECIPES = Path(__file__).resolve().parents[2] / "images"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.runtime", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    common.add_argument("--runtime", default=os.environ.get("PLAYGROUND_RUNTIME", "runc"), help="OCI runtime (default: %(default)s)")
    common.add_argument("--group", type=int, default=0, help="group id that may open terminals: the web user's")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    commands.add_parser("up", parents=[common], help="make bridge, firewall and cgroup parents; print them as JSON")
    commands.add_parser("stop-all", parents=[common], help="destroy every sandbox and what `up` made")
    commands.add_parser("list", parents=[common], help="the sandboxes on this host, as JSON")
    destroy = commands.add_parser("destroy", parents=[common], help="destroy one sandbox")
    destroy.add_argument("id")

    run = commands.add_parser("run", parents=[common], help="make a sandbox, run a command in it, destroy it")
    run.add_argument("--image", required=True)
    run.add_argument("--profile", choices=["basic", "docker"], help="default: the image's")
    run.add_argument("--memory", type=parse_size, help="for example 512MiB")
    run.add_argument("--cpus", type=float)
    run.add_argument("--pids", type=int)
    run.add_argument("--disk", type=parse_size)
    run.add_argument("--network", choices=["none", "lab", "internet"], default="lab")
    run.add_argument("argv", nargs="+", metavar="CMD", help="the command, after --")

    image = commands.add_parser("images", parents=[common], help="build and list lab images")
    image.add_argument("action", choices=["build", "list"])
    return parser


def run(host: Host, arguments: argparse.Namespace) -> int:
    """Make, run, destroy; returns the command's exit status."""
    image = images.current(host.images, arguments.image)
    wished = {name: getattr(arguments, name) for name in ("memory", "cpus", "pids", "disk")}
    limits = dict(image.limits) | {name: value for name, value in wished.items() if value is not None}
    spec = checked_spec(
        id=uuid.uuid4().hex,
        image=arguments.image,
        profile=arguments.profile or image.profile,
        limits=Limits(**limits),
        network=arguments.network,
        terminals=0,
    )
    sandbox.create(host, spec, lambda _, label: print(label, file=sys.stderr))
    try:
        return sandbox.run(host, spec.id, tuple(arguments.argv)).returncode
    finally:
        sandbox.destroy(host, spec.id)


def main() -> int:
    arguments = _parser().parse_args()
    if os.geteuid() != 0:
        print("The sandbox maker needs root: it makes namespaces, mounts and network devices.", file=sys.stderr)
        return 77
    state: Path = arguments.state
    try:
        match arguments.command:
            case "images" if arguments.action == "build":
                images.build_all(RECIPES, state / "images", state / "registry", state / "build", print)
            case "images":
                for item in images.list_images(state / "images"):
                    print(f"{item.name}\t{item.digest[:12]}\t{item.profile}\t{item.title}")
            case "up":
                host = instance.bring_up(state, arguments.runtime, arguments.group)
                print(json.dumps({"instance": host.instance, "gateway": str(host.gateway), "bridge": host.bridge}))
            case "stop-all":
                return stop_all(state, arguments.runtime)
            case "list":
                host = instance.opened(state, arguments.runtime)
                found = [sandbox.inspect(host, name) for name in sorted(sandbox.present(host)) if host.directory(name).is_dir()]
                print(json.dumps([{"id": i.id, "status": i.status, "memory": i.memory, "pid": i.pid} for i in found], indent=2))
            case "destroy":
                sandbox.destroy(instance.opened(state, arguments.runtime), arguments.id)
            case "run":
                return run_in_instance(state, arguments)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_in_instance(state: Path, arguments: argparse.Namespace) -> int:
    """`run` beside a running site, or on a host where nothing of ours is up: then nothing is left up either."""
    was_up = instance.find(state) is not None
    host = instance.bring_up(state, arguments.runtime, arguments.group)
    try:
        return run(host, arguments)
    finally:
        if not was_up:
            instance.take_down(host)


def stop_all(state: Path, runtime: str) -> int:
    """Destroy every sandbox, then bridge, firewall and cgroup parents. No error if nothing is up."""
    if instance.find(state) is None and not (state / "sandboxes").is_dir():
        return 0
    host = instance.bring_up(state, runtime)  # after a reboot: names what is to be removed
    problems = sandbox.destroy_all(host)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        instance.take_down(host)
        shutil.rmtree(host.slots)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
