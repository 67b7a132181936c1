"""The terminal stream, on a site of its own: bulk output and echo against ttyd and terminado, many who type, a neighbour of a flood.

All three serve the same shell in the same machine to the same client (tests/bench/wire.py), one after another in one run.
"""

import os
import pwd
import random
import selectors
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from engine.runtime import instance, sandbox
from tests.bench.rivals import terminado, ttyd
from tests.bench.site import site, visitors
from tests.bench.visitor import Visitor
from tests.bench.wire import LibraryWire, Ours, Terminado, Terminal, Ttyd, Wire
from tests.ops.stack import Stack

Client = type[Wire] | type[LibraryWire]
LESSON = "docker/about/your-first-machine"
FLOOD = 50_000_000  # bytes
KEYS = 400  # echoes of a median
MACHINES, EACH = 8, 25  # 200 terminals
PER_SECOND = 5  # keys each
SECONDS = 20
END = b"the-end"
TERMINALS = """
from engine.models import Sandbox, Terminal
for sandbox in Sandbox.objects.filter(state="running"):
    for number in range(2, {each} + 1):
        Terminal.objects.get_or_create(sandbox=sandbox, number=number)
for terminal in Terminal.objects.filter(sandbox__state="running"):
    print(terminal.sandbox.owner.username, terminal.sandbox_id.hex, terminal.number, terminal.id)
"""


def until(terminal: Terminal, text: bytes) -> int:
    """Read until `text` has been printed; returns how many bytes came."""
    tail, count = b"", 0
    while text not in tail:
        data = terminal.read()
        count += len(data)
        tail = (tail + data)[-len(data) - len(text) :]
    return count


def quiet(terminal: Terminal, seconds: float = 0.3) -> None:
    """Read until nothing comes for so long."""
    while terminal.wire.heard(seconds):
        terminal.read()


def ready(terminal: Terminal) -> None:
    """Past the first prompt, with the file of the flood there."""
    terminal.type(b"test -s /tmp/flood || seq -f %%079.0f %d > /tmp/flood; clear; echo the-'end'\r" % (FLOOD // 80))
    until(terminal, END)
    quiet(terminal)


def bulk(terminal: Terminal) -> float:
    """MB/s of a flood, the best of three."""
    rates = []
    for _ in range(3):
        terminal.type(b"cat /tmp/flood; echo the-'end'\r")
        begun = time.perf_counter()
        rates.append(until(terminal, END) / (time.perf_counter() - begun) / 1e6)
        quiet(terminal)
    return max(rates)


def echoes(terminal: Terminal, count: int = KEYS) -> list[float]:
    """Seconds from a key to its echo at the shell's prompt, sorted."""
    found = []
    for number in range(count):
        key = b"abcdefghijklmnopqrstuvwxyz"[number % 26 :][:1]
        begun = time.perf_counter()
        terminal.type(key)
        while key not in terminal.read():
            pass
        found.append(time.perf_counter() - begun)
        if number % 26 == 25:
            terminal.type(b"\x15")
            quiet(terminal, 0.05)
        time.sleep(0.005)
    return sorted(found)


def p(per_cent: int, seconds: list[float]) -> float:
    """A percentile of sorted figures, in ms."""
    return seconds[min(len(seconds) - 1, len(seconds) * per_cent // 100)] * 1000


def typing(terminals: list[Terminal], seconds: float) -> list[float]:
    """All type PER_SECOND keys a second, each in its own rhythm, one key at a time; returns every echo, sorted."""
    found: list[float] = []
    begun = time.perf_counter()
    due = [begun + 1 + random.random() / PER_SECOND for _ in terminals]
    waits: dict[int, tuple[bytes, float]] = {}
    with selectors.DefaultSelector() as selector:
        for number, terminal in enumerate(terminals):
            selector.register(terminal.wire.fileno(), selectors.EVENT_READ, number)
        while (now := time.perf_counter()) < begun + 1 + seconds:
            for number, when in enumerate(due):
                if when <= now and number not in waits:
                    key = bytes([random.randrange(97, 123)])
                    waits[number] = (key, now)
                    due[number] = when + 1 / PER_SECOND
                    terminals[number].type(key)
            for event, _ in selector.select(max(0.0, min(due) - time.perf_counter())):
                number = event.data
                printed = terminals[number].read()
                if number in waits and waits[number][0] in printed:
                    found.append(time.perf_counter() - waits.pop(number)[1])
    late = [time.perf_counter() - when for _, when in waits.values()]
    return sorted(found + [wait for wait in late if wait > 1])


def terminals_of(stack: Stack, each: int) -> list[list[str]]:
    """Owner, sandbox id, number and id of each terminal that runs, once every machine has rows for `each`."""
    return [line.split() for line in stack.manage("shell", "--no-imports", "-c", TERMINALS.format(each=each)).splitlines()]


def machines(stack: Stack, count: int) -> list[tuple[Visitor, str]]:
    """So many visitors with a machine each: the visitor and the sandbox id."""
    people = visitors(stack, count)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda visitor: visitor.click(LESSON), people))
    listed = terminals_of(stack, 1)
    owners = {name: sandbox_id for name, sandbox_id, _, _ in listed}
    return [(visitor, owners[f"visitor{number}"]) for number, visitor in enumerate(people)]


def more_terminals(stack: Stack, people: list[tuple[Visitor, str]]) -> list[Terminal]:
    """EACH terminals in every machine, all connected and past their prompt."""
    host = instance.opened(stack.installation.state, gateway_group=pwd.getpwnam(stack.installation.user).pw_gid)
    for _, sandbox_id in people:
        for count in range(2, EACH + 1):
            sandbox.open_terminal(host, sandbox_id, count)
    listed = terminals_of(stack, EACH)
    by_sandbox = {sandbox_id: visitor for visitor, sandbox_id in people}

    def connected(line: list[str]) -> Terminal:
        terminal = ours(stack, by_sandbox[line[1]], line[3])
        until(terminal, b"root@lab")
        return terminal

    found: list[Terminal] = []
    with ThreadPoolExecutor(8) as threads:
        for begin in range(0, len(listed), 16):
            found += threads.map(connected, listed[begin : begin + 16])
            for terminal in found:  # a server asks now and then whether its client lives
                while terminal.wire.heard(0):
                    terminal.read()
    return found


def ours(stack: Stack, visitor: Visitor, terminal_id: str, wire: Client = Wire) -> Terminal:
    return Ours(wire(stack.installation.port, f"/ws/terminals/{terminal_id}", visitor.socket_headers()))


def shell_in(pid: int) -> list[str]:
    """The command by which the others get the same shell in the same machine: straight on the PTY they make."""
    enter = ["nsenter", "--target", str(pid), *("--mount", "--uts", "--ipc", "--net", "--pid", "--user", "--cgroup"), "--wd=/root"]
    return [*enter, "env", "-i", "TERM=xterm-256color", "HOME=/root", f"PATH={os.defpath}:/usr/sbin:/sbin", *sandbox.SHELL]


def compared(stack: Stack, visitor: Visitor, sandbox_id: str) -> None:
    """MB/s and echo of each server, and echo once more with a client that costs what clients cost."""

    def measure(name: str, opened: Callable[[Client], Terminal]) -> None:
        figures = []
        for client in (Wire, LibraryWire):
            terminal = opened(client)
            ready(terminal)
            if client is Wire:
                figures.append(f"{bulk(terminal):6.1f} MB/s")
            seconds = echoes(terminal)
            figures.append(f"echo p50 {p(50, seconds):5.2f}  p99 {p(99, seconds):5.2f} ms")
            terminal.wire.close()
        print(f"{name:<10} {figures[0]}   {figures[1]}   with the websockets library: {figures[2]}", flush=True)

    pid = sandbox.inspect(instance.opened(stack.installation.state), sandbox_id).pid
    assert pid is not None
    command = shell_in(pid)
    listed = terminals_of(stack, 1)
    (terminal_id,) = (found_id for _, of, number, found_id in listed if (of, number) == (sandbox_id, "1"))
    measure("ours", lambda client: ours(stack, visitor, terminal_id, client))
    with ttyd(command) as port:
        if port is None:
            print("ttyd is not installed: nothing to compare with in C")
        else:
            served = port
            measure("ttyd", lambda client: Ttyd(client(served, "/ws", {"Sec-WebSocket-Protocol": "tty"})))
    with terminado(command) as other:
        measure("terminado", lambda client: Terminado(client(other, "/terminal", {})))


def flooding(terminal: Terminal, over: threading.Event) -> None:
    """Floods this terminal until it is over."""
    terminal.type(b"while :; do cat /tmp/flood; done\r")
    while not over.is_set():
        terminal.read()


def main() -> None:
    with site(PLAYGROUND_MAX_SANDBOXES="20") as stack:
        people = machines(stack, MACHINES)
        compared(stack, *people[0])
        terminals = more_terminals(stack, people)
        seconds = typing(terminals, SECONDS)
        print(
            f"{len(terminals)} terminals, {PER_SECOND} keys/s each ({len(seconds) / SECONDS:.0f} echoes/s): "
            f"p50 {p(50, seconds):.1f} ms   p99 {p(99, seconds):.1f} ms   worst {seconds[-1] * 1000:.1f} ms",
            flush=True,
        )
        flood, neighbour = terminals[0], terminals[-1]
        ready(flood)
        over = threading.Event()
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(flooding, flood, over)
            time.sleep(1)
            seconds = echoes(neighbour)
            over.set()
            running.result()
        print(f"beside a terminal that floods: echo p50 {p(50, seconds):.1f} ms   p99 {p(99, seconds):.1f} ms", flush=True)


if __name__ == "__main__":
    main()
