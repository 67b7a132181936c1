"""What the probes share. It runs inside a sandbox, so: standard library only.

A probe ends through `held` (status 0: the defence held) or `worked` (status 1: the attack worked). Anything else is a broken probe.
"""

import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts.json").read_text())
# Source: arch/x86/entry/syscalls/syscall_64.tbl
NUMBERS = {
    "mount": 165, "umount2": 166, "swapoff": 168, "reboot": 169, "settimeofday": 164, "acct": 163, "iopl": 172, "quotactl": 179,
    "syslog": 103, "modify_ldt": 154, "personality": 135, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
    "vmsplice": 278, "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308,
    "process_vm_readv": 310, "kcmp": 312, "memfd_create": 319, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "ptrace": 101,
    "shmget": 29, "shmat": 30, "shmctl": 31, "sched_setscheduler": 144, "timer_create": 222, "mq_open": 240, "mq_unlink": 241,
    "inotify_init1": 294, "mlock": 149, "clone": 56, "ioprio_set": 251,
}  # fmt: skip
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
WAIT = 0.6  # s: how long an answer from the same machine may take


def held(how: str) -> NoReturn:
    print("HELD", how, flush=True)
    sys.exit(0)


def worked(how: str) -> NoReturn:
    print("WORKED", how, flush=True)
    sys.exit(1)


def call(name: str, *arguments: Any) -> tuple[int, int]:
    """A system call by name; its result and errno (0 if it succeeded)."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *words)
    return result, ctypes.get_errno() if result < 0 else 0


def refused(name: str, *arguments: Any) -> str:
    """How the call was refused before it reached its subsystem (seccomp's EPERM or ENOSYS); the attack worked otherwise."""
    result, code = call(name, *arguments)
    if code in (errno.EPERM, errno.ENOSYS):
        return f"{name}: {errno.errorcode[code]}"
    return worked(f"{name} reached the kernel: result {result}, {errno.errorcode.get(code, 'no error')}")


def rewritten(path: str) -> bool:
    """Whether a setting of the host can be written. Its own value is written back: the proof is as good, and nothing changes."""
    try:
        value = Path(path).read_text()
        with open(path, "r+") as file:  # noqa: PTH123 - no truncation, no creation
            file.write(value if value.strip() else "\n")
            file.flush()
    except OSError:
        return False
    return True


def in_child(act: Callable[[], int], seconds: float = 15.0) -> int:
    """Run `act` in a child; its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            # Out of memory, this child is to go, not the one who reports: memory of tmpfs and memfd counts for no process.
            Path("/proc/self/oom_score_adj").write_text("1000")
            os._exit(act())
        except BaseException:
            os._exit(99)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def greeted(address: str, port: int, source: str | None = None) -> bool:
    """Whether the server there says what all servers of these tests say."""
    try:
        with socket.create_connection((address, port), WAIT, (source, 0) if source else None) as connection:
            return connection.recv(20) == b"welcome\n"
    except OSError:
        return False


def echoed(address: str, payload: bytes = b"PROBE", *, broadcast: bool = False, family: int = socket.AF_INET) -> bool:
    """Whether the neighbour's UDP echo answers."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, int(broadcast))
            probe.settimeout(WAIT)
            target = (address, FACTS["port"]) if family == socket.AF_INET else (address, FACTS["port"], 0, socket.if_nametoindex("eth0"))
            probe.sendto(payload, target)
            return probe.recv(200).startswith(b"ECHO")
    except OSError:
        return False


def hardware_address() -> bytes:
    return bytes.fromhex(Path("/sys/class/net/eth0/address").read_text().strip().replace(":", ""))


def frame_answered(frame: bytes, marker: bytes) -> bool:
    """Send a raw frame that holds `marker`; whether the neighbour's frame echo saw it. False where no packet socket can be made."""
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
            raw.bind(("eth0", 3))
            raw.send(frame)
            end = time.monotonic() + WAIT
            while (left := end - time.monotonic()) > 0:
                raw.settimeout(left)
                received, where = raw.recvfrom(2000)
                if b"ECHO" + marker in received and where[2] != socket.PACKET_OUTGOING:
                    return True
    except OSError:
        pass
    return False


def ipv4(source: str, target: str, payload: bytes, protocol: int = 17) -> bytes:
    """An IPv4 packet with a right header checksum, whatever its source says."""
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(target)
    )
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return header[:10] + struct.pack("!H", ~total & 0xFFFF) + header[12:] + payload


def foreign_descriptors() -> Iterator[str]:
    """Descriptors of this process and of PID 1 that lead to a directory or a file outside this sandbox's own tree."""
    for process in ("self", "1"):
        try:
            entries = sorted(Path(f"/proc/{process}/fd").iterdir())
        except PermissionError:
            continue
        for entry in entries:
            try:
                target = str(entry.readlink())
                seen = entry.stat()
            except OSError:
                continue
            if target.startswith("/") and not target.startswith(("/dev/null", "/dev/pts", "/proc/")):
                try:
                    inside = os.stat(target)  # noqa: PTH116
                except OSError:
                    yield f"{entry} -> {target}"
                    continue
                if (inside.st_dev, inside.st_ino) != (seen.st_dev, seen.st_ino):
                    yield f"{entry} -> {target}"


def interface(words: str, value: str) -> bool:
    """Set eth0's IPv4 alias or hardware address by ioctl (netdevice(7)); whether the kernel let us."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            if words == "hardware":
                request = struct.pack("16sH6s8x", b"eth0", 1, bytes.fromhex(value.replace(":", "")))
                fcntl.ioctl(control, 0x8924, request)  # SIOCSIFHWADDR
            else:
                request = struct.pack("16sHH4s8x", words.encode(), socket.AF_INET, 0, socket.inet_aton(value))
                fcntl.ioctl(control, 0x8916, request)  # SIOCSIFADDR
        except OSError:
            return False
    return True
