"""Who can talk to whom: with real packets."""

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from engine.runtime import network, sandbox
from engine.runtime.host import Host
from tests.conftest import Make, Run
from tests.waiting import until

pytestmark = pytest.mark.kernel
IP = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin") or "ip"
WORLD, PRIVATE, PORT = "11.22.33.2", "172.31.255.2", 8080


@contextmanager
def _listening(address: str, port: int = 0) -> Iterator[int]:
    """A server on the host that greets everyone; yields its port."""
    with socket.create_server((address, port)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # the end of the test
                    return
                connection.sendall(b"welcome\n")
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _reaches(run: Run, sandbox_id: str, address: object, port: int, *options: str) -> bool:
    return run(sandbox_id, "nc", "-w", "1", *options, str(address), str(port)).stdout == b"welcome\n"


def _address(host: Host, sandbox_id: str) -> str:
    slot = sandbox.inspect(host, sandbox_id).slot
    assert slot is not None
    return str(slot.address)


def test_the_registry_is_reached_and_no_other_port_of_the_host(host: Host, make: Make, run: Run) -> None:
    spec = make()
    with _listening(str(host.gateway), network.REGISTRY_PORT), _listening("0.0.0.0") as port:
        assert _reaches(run, spec.id, host.gateway, network.REGISTRY_PORT)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which address the host would use
            own = probe.getsockname()[0]
        for address in (host.gateway, own):
            with socket.create_connection((str(address), port), 1) as connection:
                assert connection.recv(20) == b"welcome\n", "the server answers the host itself"
            assert not _reaches(run, spec.id, address, port)


def test_the_gateway_answers_ping(host: Host, make: Make, run: Run) -> None:
    assert run(make().id, "ping", "-c1", "-W2", str(host.gateway)).returncode == 0


def test_neighbours_do_not_exist_for_each_other(host: Host, make: Make, run: Run) -> None:
    one, other = make(), make("docker")
    address = _address(host, other.id)
    run(other.id, "sh", "-c", f"setsid -f sh -c 'while :; do echo welcome | nc -l {PORT}; done' >/dev/null 2>&1")
    until(lambda: run(other.id, "sh", "-c", f"nc -w1 localhost {PORT}").stdout == b"welcome\n", "the neighbour's server answers itself")
    assert not _reaches(run, one.id, address, PORT)
    assert run(one.id, "ping", "-c1", "-W1", address).returncode != 0
    assert address.encode() not in run(one.id, "ip", "neigh", "show", "nud", "reachable").stdout


def test_a_neighbour_is_not_reached_by_its_hardware_address_either(host: Host, make: Make, run: Run) -> None:
    one, other = make("docker"), make()
    slot = sandbox.inspect(host, other.id).slot
    assert slot is not None
    run(one.id, "ip", "neigh", "replace", str(slot.address), "lladdr", slot.mac, "dev", "eth0", "nud", "permanent")
    assert run(one.id, "ping", "-c1", "-W1", str(slot.address)).returncode != 0
    counters = run(other.id, "cat", "/proc/net/snmp").stdout.decode().splitlines()
    names, values = (line.split() for line in counters if line.startswith("Icmp: "))
    assert dict(zip(names, values, strict=True))["InEchos"] == "0", "not even what needs no answer arrives"


def test_a_false_source_address_is_dropped(host: Host, make: Make, run: Run) -> None:
    spec, victim = make("docker"), make()
    false = _address(host, victim.id)
    with _listening(str(host.gateway), network.REGISTRY_PORT):
        assert _reaches(run, spec.id, host.gateway, network.REGISTRY_PORT)
        assert run(spec.id, "ip", "addr", "add", f"{false}/16", "dev", "eth0").returncode == 0
        assert not _reaches(run, spec.id, host.gateway, network.REGISTRY_PORT, "-s", false)
        assert _reaches(run, spec.id, host.gateway, network.REGISTRY_PORT), "under its own name it is still served"
        assert _reaches(run, victim.id, host.gateway, network.REGISTRY_PORT), "and the victim is not cut off"


def test_a_false_hardware_address_is_dropped(host: Host, make: Make, run: Run) -> None:
    spec, victim = make("docker"), make()
    slot = sandbox.inspect(host, victim.id).slot
    assert slot is not None
    with _listening(str(host.gateway), network.REGISTRY_PORT):
        assert run(spec.id, "ip", "link", "set", "eth0", "address", slot.mac).returncode == 0
        assert not _reaches(run, spec.id, host.gateway, network.REGISTRY_PORT)
        assert _reaches(run, victim.id, host.gateway, network.REGISTRY_PORT)


def test_a_lab_without_network_reaches_nothing(host: Host, make: Make, run: Run) -> None:
    spec = make(network="none")
    with _listening(str(host.gateway), network.REGISTRY_PORT):
        assert not _reaches(run, spec.id, host.gateway, network.REGISTRY_PORT)
    assert run(spec.id, "ping", "-c1", "-W1", "127.0.0.1").returncode == 0


@pytest.fixture
def world() -> Iterator[None]:
    """A machine beyond the host, in a network namespace: it has a public and a private address."""
    server = (
        "import socket\n"
        f"server = socket.create_server(('', {PORT}))\n"
        "print('up', flush=True)\n"
        "while True:\n"
        "    connection, _ = server.accept()\n"
        "    connection.sendall(b'welcome\\n')\n"
        "    connection.close()\n"
    )

    def call(*words: str) -> None:
        subprocess.run([IP, *words], check=True, capture_output=True)

    with ExitStack() as undo:
        call("netns", "add", "pgworld")
        undo.callback(call, "netns", "del", "pgworld")
        call("link", "add", "pgworld", "type", "veth", "peer", "name", "eth0", "netns", "pgworld")
        undo.callback(call, "link", "del", "pgworld")  # with its namespace it would go a moment later, and the next test needs the name
        for outer, inner in (("11.22.33.1/24", f"{WORLD}/24"), ("172.31.255.1/24", f"{PRIVATE}/24")):
            call("addr", "add", outer, "dev", "pgworld")
            call("-n", "pgworld", "addr", "add", inner, "dev", "eth0")
        call("link", "set", "pgworld", "up")
        call("-n", "pgworld", "link", "set", "eth0", "up")
        call("-n", "pgworld", "route", "add", "default", "via", "11.22.33.1")
        process = undo.enter_context(
            subprocess.Popen([IP, "netns", "exec", "pgworld", sys.executable, "-c", server], stdout=subprocess.PIPE)
        )
        undo.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield


@pytest.mark.usefixtures("world")
def test_only_a_lab_with_internet_reaches_beyond_the_host_and_never_a_private_network(host: Host, make: Make, run: Run) -> None:
    closed, opened = make(network="lab"), make(network="internet")
    for address in (WORLD, PRIVATE):
        with socket.create_connection((address, PORT), 2) as connection:
            assert connection.recv(20) == b"welcome\n", "the host itself gets there"
        assert not _reaches(run, closed.id, address, PORT)
    assert _reaches(run, opened.id, WORLD, PORT)
    assert not _reaches(run, opened.id, PRIVATE, PORT)


@pytest.mark.usefixtures("world")
def test_nobody_outside_reaches_into_a_lab(host: Host, make: Make, run: Run) -> None:
    spec = make(network="internet")
    run(spec.id, "sh", "-c", f"setsid -f sh -c 'while :; do echo welcome | nc -l {PORT}; done' >/dev/null 2>&1")
    address = _address(host, spec.id)

    def greeted() -> bool:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection((address, PORT), 2) as connection:
            return connection.recv(20) == b"welcome\n"
        return False

    until(greeted, "the host itself, for previews of its ports, gets in")
    outside = f"import socket; socket.create_connection(('{address}', {PORT}), 1)"
    refused = subprocess.run([IP, "netns", "exec", "pgworld", sys.executable, "-c", outside], capture_output=True, check=False)
    assert refused.returncode == 1
    assert b"TimeoutError" in refused.stderr
