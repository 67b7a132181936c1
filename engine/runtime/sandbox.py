"""The life of one sandbox on this host: create, destroy, inspect, and find what is there.

The directory `sandboxes/<id>/` is made first and removed last, and all else follows from it and from its slot: so `destroy` can be called
in any state, any number of times, by a process that knows nothing but the id.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.runtime import bundle, cgroups, conmon, disk, identity, images, mounts, network, runc, saved, shutdown
from engine.runtime.errors import NoSuchSandbox, SandboxError, StepFailed
from engine.runtime.host import UIDS_PER_SLOT, Host, Slot, held_slot, lease_slot, leases, release_slot
from engine.runtime.images import Image
from engine.runtime.machine import this_machine
from engine.runtime.namespaces import DiskIds, Namespaces
from engine.runtime.profiles import PROFILES
from engine.runtime.spec import SandboxSpec, format_size

Status = Literal["creating", "running", "dead"]
Progress = Callable[[str, str], None]  # (step's name, what it does, for people)
SHELL = ("/bin/bash", "-l")
LAST_WORDS = 0.5  # s


@dataclass(frozen=True)
class Inspection:
    """What the host says of a sandbox. `dead`: its PID 1 has ended, or it was never started; memory in bytes."""

    id: str
    status: Status
    slot: Slot | None
    pid: int | None
    memory: int | None
    created_at: float


def _silent(step: str, label: str) -> None:
    """Progress nobody listens to."""


def create(host: Host, spec: SandboxSpec, progress: Progress = _silent, resumed: str | None = None) -> Slot:
    """Make the sandbox and start it with its terminals. Raises SandboxError; then nothing of it is left.

    `resumed` is the id of a saved machine: its disk is used, over the very build of the image that it was made with.
    """
    image = images.current(host.images, spec.image) if resumed is None else _image_of(host, resumed)
    with ExitStack() as undo:
        progress("reserve", "Reserve an address and user ids")
        directory = host.directory(spec.id)
        directory.mkdir(mode=0o711)
        undo.callback(destroy, host, spec.id)
        (directory / "spec.json").write_text(spec.model_dump_json())
        (directory / "image.json").write_text(saved.Record(image=image.name, digest=image.digest).model_dump_json())
        slot = lease_slot(host, spec.id)
        (directory / "slot").write_text(str(slot.number))

        with Namespaces(slot.uid, UIDS_PER_SLOT) as own, ThreadPoolExecutor(1, "sandbox") as beside:
            wired = beside.submit(network.attach, host, slot, spec.network, own.pid)
            if resumed is None:
                progress("disk", f"Make a {format_size(spec.limits.disk)} disk")
                disk.make_disk(directory / "disk.img", spec.limits.disk)
            else:
                progress("check", "Check the saved disk")
                saved.hand_over(host, resumed, spec.id)

            progress("boot", f"Boot {image.title} and connect it")
            kept = mounts.in_private_mounts(lambda: _build(host, spec, slot, image, own, wired, resumed is not None))
            if kept:
                progress("identity", f"Leave /etc as it is: {kept}")
            cgroups.delegate(f"{host.cgroup}/{spec.id}", slot.uid, nesting=PROFILES[spec.profile].nesting)
            # After the runtime has made the other namespaces: they count as well.
            own.limit(PROFILES[spec.profile].user_limits)

        if spec.terminals:
            progress("terminal", "Open a terminal")
        (directory / "terminals").mkdir(mode=0o711)
        (directory / "commands").mkdir(mode=0o711)
        for number in range(1, spec.terminals + 1):
            open_terminal(host, spec.id, number)
        undo.pop_all()
        return slot


def _image_of(host: Host, saved_id: str) -> Image:
    record = saved.record(host, saved_id)
    return images.at(host.images, record.image, record.digest)


def _build(host: Host, spec: SandboxSpec, slot: Slot, image: Image, own: Namespaces, wired: "Future[None]", resumed: bool) -> str:
    """Mount image, disk and overlay, write the bundle and start the container once it is `wired`: all in a private mount namespace.

    Returns why a resumed machine keeps the identity it had, if it does.
    """
    directory = host.directory(spec.id)
    for name in ("image", "disk", "rootfs"):
        (directory / name).mkdir(mode=0o711)
    try:
        mounts.mount_idmapped(image.rootfs, directory / "image", own.paths["user"])
        mounts.mount_disk(directory / "disk.img", directory / "disk")
        (identity.check_layout if resumed else identity.lay_out)(directory / "disk")
        kept = _write_identity(directory / "disk" / "upper", identity.files_of(spec, host, slot), resumed)
        with DiskIds(slot.uid, UIDS_PER_SLOT) as ids:
            mounts.map_ids(directory / "disk", ids.paths["user"])
        mounts.mount_overlay(directory, "image", "disk/upper", "disk/work", "rootfs")
    except OSError as error:
        raise StepFailed("boot", str(error)) from error
    profile = PROFILES[spec.profile]
    config = bundle.config(spec, profile, host, slot, image.init, own.paths, this_machine())
    (directory / "config.json").write_text(json.dumps(config))
    wired.result()
    runc.start(host, spec.id, directory)
    return kept


def _write_identity(upper: Path, files: dict[str, str], resumed: bool) -> str:
    try:
        identity.write(upper, files)
    except OSError as error:
        if not resumed:
            raise
        # Its learner made a link of /etc, or left no byte free: they must get in to mend that.
        return error.strerror or str(error)
    return ""


def save(host: Host, sandbox_id: str, saved_id: str) -> None:
    """Keep the sandbox's disk as a saved machine and ask its programs to end; `destroy` then removes the rest. Idempotent; in any state.

    Raises NotSaved where there is no disk to keep.
    """
    saved.keep(host, sandbox_id, saved_id)
    with contextlib.suppress(FileNotFoundError, ValueError):  # it has not begun, or has ended
        if alive(host, sandbox_id):
            shutdown.shut_down(host, sandbox_id, init_pid(host, sandbox_id))


def destroy(host: Host, sandbox_id: str) -> None:
    """Remove every trace of the sandbox. Idempotent; in any state; raises SandboxError when something will not go."""
    directory = host.directory(sandbox_id)
    kill(host, sandbox_id)
    runc.delete(host, sandbox_id)
    for kind in ("terminals", "commands"):
        if (directory / kind).is_dir():
            for entry in (directory / kind).iterdir():
                conmon.close(entry)
    path = f"{host.cgroup}/{sandbox_id}"
    _end_processes(path)
    cgroups.remove(path)
    slot = slot_of(host, sandbox_id)
    if slot is not None:
        network.detach(host, slot)
    if directory.exists():
        _wait_until_unmounted(directory / "disk.img")
        shutil.rmtree(directory)
    if slot is not None:  # last: until here no other sandbox may have its ids and address
        release_slot(host, slot)


def kill(host: Host, sandbox_id: str, timeout: float = 5.0) -> None:
    """Kill PID 1 and wait until it is gone: the kernel kills the rest of its pid namespace with it, before it. No error if it is gone.

    `runc delete --force` would do the same, but looks only every 100 ms whether it has happened, and leaves frozen processes frozen.
    """
    try:
        pid = init_pid(host, sandbox_id)
        descriptor = os.pidfd_open(pid)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return
    try:
        if alive(host, sandbox_id):  # after the descriptor is open, so that it is this process and no later one of the same number
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            end = time.monotonic() + timeout
            # Not before the first wait: nearly always nothing is frozen, and what is not may freeze others until it has died.
            while not select.select([descriptor], [], [], 0.1)[0] and time.monotonic() < end:
                cgroups.thaw(f"{host.cgroup}/{sandbox_id}")
    finally:
        os.close(descriptor)


def _end_processes(path: str) -> None:
    """Kill what `runc delete` left in the cgroup: a runc init that had not joined the pid namespace yet, a runc exec on its way."""
    if left := cgroups.processes(path):
        cgroups.thaw(path)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


def _wait_until_unmounted(image: Path, timeout: float = 5.0) -> None:
    """Wait until no loop device is attached to the disk: the kernel unmounts it a moment after the last process has gone."""
    end = time.monotonic() + timeout
    while any(backing == str(image) for backing in _loop_backings()):
        if time.monotonic() > end:
            raise StepFailed("disk", f"{image} is still mounted")
        time.sleep(0.002)


def _loop_backings() -> Iterator[str]:
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # detached between the listing and the reading
            yield entry.read_text().strip()


def slot_of(host: Host, sandbox_id: str) -> Slot | None:
    """The slot it holds, from which its address follows."""
    try:
        return Slot(host.instance, int((host.directory(sandbox_id) / "slot").read_text()))
    except (FileNotFoundError, ValueError):
        return held_slot(host, sandbox_id)


def read_spec(host: Host, sandbox_id: str) -> SandboxSpec:
    """The spec it was made from. Raises NoSuchSandbox."""
    try:
        return SandboxSpec.model_validate_json((host.directory(sandbox_id) / "spec.json").read_text())
    except FileNotFoundError:
        raise NoSuchSandbox(f"There is no sandbox {sandbox_id} on this machine.") from None


@contextlib.contextmanager
def terminals_locked(host: Host, sandbox_id: str) -> Iterator[Path]:
    """The directory of its terminals, which no other process changes meanwhile. Raises NoSuchSandbox."""
    directory = host.directory(sandbox_id) / "terminals"
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NoSuchSandbox(f"There is no sandbox {sandbox_id} on this machine.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield directory
    finally:
        os.close(descriptor)


def open_terminal(host: Host, sandbox_id: str, number: int, kept_log: Path | None = None) -> Path:
    """Open terminal `number` and return its directory; its output goes on in `kept_log`, which moves there. Raises SandboxError."""
    directory = host.directory(sandbox_id) / "terminals" / str(number)
    conmon.open_terminal(host, sandbox_id, PROFILES[read_spec(host, sandbox_id).profile], directory, SHELL, kept_log)
    return directory


def share_logs(host: Host, sandbox_id: str) -> None:
    """Let the gateway read on in the logs of terminals that conmon has begun anew. Raises NoSuchSandbox, OSError."""
    with terminals_locked(host, sandbox_id) as terminals:
        for directory in terminals.iterdir():
            if not (directory / conmon.SPARE_LOG).exists():
                conmon.share_log(host, directory)


def reopen_lost_terminals(host: Host, sandbox_id: str) -> list[int]:
    """Open anew every terminal whose conmon was killed, and return their numbers: the kernel hung up its shell with it.

    A shell that exited left its status, and stays as it is. Raises SandboxError.
    """
    lost = []
    with terminals_locked(host, sandbox_id) as terminals:
        for directory in sorted(terminals.iterdir()):
            if conmon.exit_status(directory, sandbox_id) is None and conmon.holder(directory) is None:
                conmon.close(directory)
                open_terminal(host, sandbox_id, int(directory.name))
                lost.append(int(directory.name))
    return lost


def open_command(host: Host, sandbox_id: str, name: str, argv: tuple[str, ...]) -> Path:
    """Prepare a streamed command and return its directory; it runs once a client has attached. Raises SandboxError."""
    directory = host.directory(sandbox_id) / "commands" / name
    conmon.open_command(host, sandbox_id, PROFILES[read_spec(host, sandbox_id).profile], directory, argv)
    return directory


def close_command(host: Host, sandbox_id: str, name: str) -> None:
    """End a streamed command and remove its directory. Raises FileNotFoundError, StepFailed."""
    directory = host.directory(sandbox_id) / "commands" / name
    end = time.monotonic() + LAST_WORDS
    while conmon.holder(directory) is not None and time.monotonic() < end:  # its input is closed: most commands end at that
        time.sleep(0.005)
    conmon.close(directory)


def run(
    host: Host, sandbox_id: str, argv: tuple[str, ...], *, stdin: bytes | None = None, timeout: float | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in the sandbox to its end and return its output. stdin None: this process's own streams are used.

    Raises subprocess.TimeoutExpired.
    """
    process = bundle.process(PROFILES[read_spec(host, sandbox_id).profile], argv, terminal=False, oom_score=bundle.TERMINAL_OOM_SCORE)
    read, write = os.pipe()
    try:
        os.write(write, json.dumps(process).encode())
        os.close(write)
        command = [host.runtime_path(), "--root", str(host.runc_root), "exec", "--process", f"/dev/fd/{read}", sandbox_id]
        if stdin is None:
            return subprocess.run(command, pass_fds=[read], check=False, timeout=timeout)
        return subprocess.run(command, pass_fds=[read], input=stdin, capture_output=True, check=False, timeout=timeout)
    finally:
        os.close(read)


def inspect(host: Host, sandbox_id: str) -> Inspection:
    """What the host says of it now. Raises NoSuchSandbox."""
    directory = host.directory(sandbox_id)
    if not directory.is_dir():
        raise NoSuchSandbox(f"There is no sandbox {sandbox_id} on this machine.")
    state: dict[str, Any] = runc.state(host, sandbox_id) or {}
    statuses: dict[str, Status] = {"running": "running", "creating": "creating", "created": "creating"}
    memory = None
    with contextlib.suppress(FileNotFoundError):
        memory = cgroups.memory_used(f"{host.cgroup}/{sandbox_id}")
    return Inspection(
        id=sandbox_id,
        status=statuses.get(state.get("status", ""), "dead"),
        slot=slot_of(host, sandbox_id),
        pid=state.get("pid") or None,
        memory=memory,
        created_at=directory.stat().st_mtime,
    )


def init_pid(host: Host, sandbox_id: str) -> int:
    """PID 1's number on the host, also when it has ended. Raises FileNotFoundError, or ValueError while it is being written."""
    return int((host.directory(sandbox_id) / "init.pid").read_text())


def alive(host: Host, sandbox_id: str) -> bool:
    """Whether its PID 1 lives. Cheap: two small files, no process is started."""
    try:
        pid = init_pid(host, sandbox_id)
        return sandbox_id.encode() in Path(f"/proc/{pid}/cgroup").read_bytes()  # groups below it may have any name
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False


def child_cgroups(host: Host, sandbox_id: str) -> int:
    """How many control groups the sandbox has made, in the hierarchy where it has most. Version 1 cannot bound them: over 300, end it."""
    return cgroups.descendants(f"{host.cgroup}/{sandbox_id}")


def last_output(host: Host, sandbox_id: str) -> float | None:
    """When any of its terminals last printed something (seconds since the epoch), or None without terminals."""
    logs = (host.directory(sandbox_id) / "terminals").glob(f"*/{conmon.LOG_NAME}")
    return max((log.stat().st_mtime for log in logs), default=None)


def drop_empty_leases(host: Host, older_than: float) -> None:
    """Free slots whose holder died between making the lease and writing its name."""
    for entry in host.slots.iterdir():
        with contextlib.suppress(FileNotFoundError):  # freed meanwhile
            if entry.stat().st_size == 0 and entry.stat().st_mtime < older_than:
                entry.unlink()


def present(host: Host) -> set[str]:
    """Ids of everything of a sandbox that is on the host: a directory, a cgroup, a lease."""
    found = {entry.name for entry in host.sandboxes.iterdir()} if host.sandboxes.is_dir() else set()
    found |= cgroups.children(host.cgroup)
    found |= {name for _, name in leases(host)}
    return {name for name in found if len(name) == 32}


def destroy_all(host: Host) -> list[str]:
    """Destroy every sandbox of this installation; returns a message per one that would not go."""
    problems = []
    for sandbox_id in sorted(present(host)):
        try:
            destroy(host, sandbox_id)
        except (SandboxError, OSError) as error:
            problems.append(f"{sandbox_id}: {error}")
    return problems
