"""What listens in a sandbox, as the host sees it, and that the host reaches it and nobody in its place."""

import http.client
import time

import pytest

from engine.runtime import sandbox
from engine.runtime.errors import NoSuchSandbox
from engine.runtime.host import Host
from engine.runtime.listeners import MOST, Listener, listeners
from tests.conftest import Make, Run
from tests.waiting import until

pytestmark = pytest.mark.kernel
SERVE = "cd /etc && setsid python3 -m http.server --bind {address} {port} >/dev/null 2>&1 &"


def _address(host: Host, sandbox_id: str) -> str:
    slot = sandbox.slot_of(host, sandbox_id)
    assert slot is not None
    return str(slot.address)


def _get(address: str, port: int, path: str = "/hostname") -> str:
    connection = http.client.HTTPConnection(address, port, timeout=2)
    connection.request("GET", path)
    return connection.getresponse().read().decode().strip()


def test_it_works(host: Host, make: Make, run: Run) -> None:
    """Servers on every address, on IPv6's and inside alone; what the host lists is what it reaches."""
    spec = make()
    assert listeners(host, spec.id) == []
    for address, port in (("0.0.0.0", 8000), ("127.0.0.1", 8001), ("::", 8002), (_address(host, spec.id), 8003)):
        run(spec.id, "sh", "-c", SERVE.format(address=address, port=port))
    wanted = [Listener(8000, True), Listener(8001, False), Listener(8002, True), Listener(8003, True)]
    until(lambda: listeners(host, spec.id) == wanted, "all four are found")
    for item in wanted:
        if item.reachable:
            assert _get(_address(host, spec.id), item.port) == spec.hostname
        else:
            with pytest.raises(ConnectionRefusedError):
                _get(_address(host, spec.id), item.port)


def test_a_neighbour_cannot_answer_in_its_place(host: Host, make: Make, run: Run) -> None:
    """Not while it runs, and not when it has ended: whoever asks its address then gets no answer at all."""
    mine, other = make(), make("docker", network="lab")
    address = _address(host, mine.id)
    run(other.id, "sh", "-c", f"ip addr add {address}/32 dev eth0; " + SERVE.format(address="0.0.0.0", port=8000))
    until(lambda: Listener(8000, True) in listeners(host, other.id), "the neighbour listens")
    with pytest.raises(OSError, match=r"refused|timed out|No route"):
        _get(address, 8000)
    sandbox.destroy(host, mine.id)
    with pytest.raises(OSError, match=r"refused|timed out|No route"):
        _get(address, 8000)
    with pytest.raises(NoSuchSandbox):
        listeners(host, mine.id)


def test_any_number_of_listeners_costs_little(host: Host, make: Make, run: Run) -> None:
    spec = make()
    many = "import socket,time\nkept=[socket.create_server(('',0)) for _ in range(900)]\nprint('up',flush=True)\ntime.sleep(60)"
    run(spec.id, "sh", "-c", f'setsid python3 -c "{many}" >/tmp/out 2>&1 & until grep -q up /tmp/out; do sleep 0.1; done')
    begun = time.perf_counter()
    found = listeners(host, spec.id)
    assert len(found) == MOST
    assert time.perf_counter() - begun < 0.1
