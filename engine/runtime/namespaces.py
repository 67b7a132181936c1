"""The user namespace of a sandbox and the network namespace it owns, made before the sandbox: its image is mapped into the one and its
interface put into the other while its disk is made, and the runtime joins both.

Sources: user_namespaces(7); namespaces(7), "The /proc/sys/user directory"; network_namespaces(7).
"""

import ctypes
import os
import socket
from contextlib import ExitStack
from pathlib import Path

from engine.runtime.errors import HostNotReady, StepFailed

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
OPEN_MAX = 1 << 20
ORDER_MAX, DONE = 64, b"x"  # bytes of an order; the answer to one

libc = ctypes.CDLL(None, use_errno=True)


class Namespaces:
    """Held open by a child that waits in them; they live on as long as a process, a mount or an interface needs them.

    A context manager. `pid` is the child's. If this process dies, so does the child.
    """

    flags = CLONE_NEWUSER | CLONE_NEWNET

    def __init__(self, host_id: int, size: int) -> None:
        """Ids 0..size-1 inside are host_id.. outside."""
        self.host_id = host_id
        self.size = size
        self.pid = 0

    def __enter__(self) -> "Namespaces":
        """Raises HostNotReady where the kernel makes none."""
        mine, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with its, ExitStack() as undo:
            self._channel = undo.enter_context(mine)
            self.pid = os.fork()
            if self.pid == 0:  # only plain system calls below: the parent may have threads
                try:
                    _wait(self.flags, its.fileno())
                finally:
                    os._exit(1)
            undo.callback(self.__exit__)
            its.close()
            if not self._answered():
                raise HostNotReady("User namespaces are off on this host: sysctl user.max_user_namespaces=15000")
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{self.pid}/{name}").write_text(self.mapping())
            undo.pop_all()
        return self

    def _answered(self) -> bool:
        return self._channel.recv(1) == DONE

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        os.waitpid(self.pid, 0)

    def mapping(self) -> str:
        """As user_namespaces(7) has it: first id inside, first id outside, how many."""
        return f"0 {self.host_id} {self.size}\n"

    @property
    def paths(self) -> dict[str, str]:
        """Where they can be opened, by the names the OCI runtime has for them."""
        return {"user": f"/proc/{self.pid}/ns/user", "network": f"/proc/{self.pid}/ns/net"}

    def limit(self, limits: dict[str, int]) -> None:
        """Set user.* sysctls: the kernel keeps them per user namespace. Raises StepFailed."""
        for name, value in limits.items():
            self._channel.sendall(f"{name} {value}".encode())
            if not self._answered():
                raise StepFailed("boot", f"user.{name} could not be set")


class DiskIds(Namespaces):
    """A user namespace that no process of the sandbox is in: it says which ids the files on its disk belong to (mount_setattr(2)).

    On the disk they are 0..size-1 whatever the slot, so it can be resumed in another; ids beyond belong to nobody, and so to no
    neighbour. One more, `size`, is the host's root: overlayfs makes its temporary files and whiteouts as the one who mounted it.
    """

    flags = CLONE_NEWUSER

    def mapping(self) -> str:
        return f"{super().mapping()}{self.size} 0 1\n"


def _wait(flags: int, channel: int) -> None:
    """The child: make the namespaces, carry out orders until the parent closes its end or dies."""
    os.closerange(0, channel)  # no other end of it, and nothing else of the parent's
    os.closerange(channel + 1, OPEN_MAX)
    if libc.unshare(flags) != 0:
        return
    os.write(channel, DONE)
    while order := os.read(channel, ORDER_MAX):
        name, value = order.split()
        # Opened here, because /proc/sys/user shows each process the values of its own user namespace.
        setting = os.open(b"/proc/sys/user/" + name, os.O_WRONLY)
        os.write(setting, value)
        os.close(setting)
        os.write(channel, DONE)
