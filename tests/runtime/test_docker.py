"""A Docker Engine of its own in a sandbox, fed by the lab registry: the commands that lessons are made of."""

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from engine.runtime import network, registry, sandbox, saved
from engine.runtime.host import Host, held_slot, lease_slot, release_slot
from engine.runtime.listeners import Listener, listeners
from engine.runtime.spec import MIB, checked_spec
from tests.conftest import DOCKER, Run
from tests.traces import Traces
from tests.waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("docker")]
ID = "d0c0" * 8


@pytest.fixture(scope="module")
def served(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The lab registry, with the images that set-up has built."""
    config: Path = tmp_path_factory.mktemp("registry") / "registry.yml"
    listen = f"{host.gateway}:{network.REGISTRY_PORT}"
    registry.write_config(settings.STATE / "registry", config, listen, None)
    with subprocess.Popen(registry.serve_argv(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: registry._answers(f"http://{listen}/v2/") or process.poll() is not None, "the registry answers")
        yield
        process.terminate()


@pytest.fixture(scope="module")
def docker(host: Host, served: None) -> Iterator[str]:
    """One Docker sandbox for all of these; its id."""
    sandbox.create(host, checked_spec(id=ID, image="docker", profile="docker", limits=DOCKER))
    yield ID
    sandbox.destroy(host, ID)


def _shell(run: Run, script: str) -> str:
    result = run(ID, "/bin/sh", "-ec", script, timeout=90)
    assert result.returncode == 0, (result.stdout + result.stderr).decode(errors="replace")
    return result.stdout.decode().strip()


def test_the_engine_starts_when_it_is_first_used(run: Run) -> None:
    assert _shell(run, "docker version --format '{{.Server.Version}}'")[0].isdigit()
    assert _shell(run, "docker info --format '{{.Driver}}'") == "overlay2"


def test_a_container_runs_and_goes(run: Run) -> None:
    assert _shell(run, "docker run --rm busybox echo hello") == "hello"
    assert _shell(run, "docker ps --all --quiet") == ""


def test_a_container_has_limits_of_its_own_and_can_be_paused(run: Run) -> None:
    limit = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || true"
    _shell(run, "docker run --detach --name small --memory 64m --cpus 0.5 --pids-limit 20 busybox sleep 1000")
    assert _shell(run, f"docker exec small sh -c '{limit}'") == str(64 * MIB)
    assert _shell(run, "docker pause small >/dev/null && docker inspect --format '{{.State.Status}}' small") == "paused"
    _shell(run, "docker unpause small && docker rm --force small")


def test_exec_into_a_container_that_runs_as_another_user(run: Run) -> None:
    """Needs CAP_SYS_PTRACE: runc reads /proc/<pid>/ns of a process that is not its own user's."""
    _shell(run, "docker run --detach --name other --user 1234 busybox sleep 1000")
    assert _shell(run, "docker exec other id -u") == "1234"
    assert _shell(run, "docker exec --user 0 other id -u") == "0"
    _shell(run, "docker rm --force other")


def test_an_image_is_built_and_runs(run: Run) -> None:
    dockerfile = 'FROM busybox\\nRUN echo built > /result\\nUSER 1234\\nCMD ["cat", "/result"]\\n'
    _shell(run, f"mkdir -p /root/app && printf '{dockerfile}' > /root/app/Dockerfile && docker build --quiet --tag app /root/app")
    assert _shell(run, "docker run --rm app") == "built"


def test_a_published_port_answers_inside_and_the_host(host: Host, run: Run) -> None:
    """The host's way is a preview's: it finds the listener, and asks at the sandbox's address."""
    script = "mkdir /www && echo it works > /www/index.html && exec httpd -f -p 80 -h /www"
    _shell(run, f"docker run --detach --name web --publish 8080:80 busybox sh -c '{script}'")
    assert _shell(run, "curl --silent --retry 20 --retry-delay 1 --retry-all-errors http://localhost:8080") == "it works"
    assert listeners(host, ID) == [Listener(8080, True)]
    slot = sandbox.slot_of(host, ID)
    assert slot is not None
    with urllib.request.urlopen(f"http://{slot.address}:8080/", timeout=5) as answer:
        assert answer.read() == b"it works\n"
    _shell(run, "docker rm --force web")
    until(lambda: listeners(host, ID) == [], "the port is gone")


def test_containers_of_one_network_find_each_other_by_name(run: Run) -> None:
    _shell(run, "docker network create shared && docker run --detach --name one --network shared busybox sleep 1000")
    assert "1 packets received" in _shell(run, "docker run --rm --network shared busybox ping -c1 -W2 one")
    _shell(run, "docker rm --force one && docker network rm shared")


def test_a_volume_outlives_its_container(run: Run) -> None:
    _shell(run, "docker run --rm --volume data:/data busybox sh -c 'echo kept > /data/file'")
    assert _shell(run, "docker run --rm --volume data:/data busybox cat /data/file") == "kept"


def test_a_privileged_container_gets_no_more_than_its_sandbox_has(host: Host, run: Run) -> None:
    own, container = (
        int(_shell(run, f"{command} cat /proc/self/status | sed -n 's/^CapEff:\t//p'"), 16)
        for command in ("", "docker run --rm --privileged --pid=host busybox")
    )
    assert container == own
    assert str(host.state) not in _shell(run, "docker run --rm --privileged --pid=host busybox cat /proc/1/mountinfo")
    device = min(path.name for path in Path("/sys/block").glob("loop*"))
    script = f"mknod /disk b $(cat /sys/class/block/{device}/dev | tr : ' '); head -c1 /disk"
    assert run(ID, "docker", "run", "--rm", "--privileged", "busybox", "sh", "-c", script).returncode != 0


def _log_of_engine(host: Host, saved_id: str) -> str:
    """Read from the disk while its sandbox lives: debugfs(8) sees what has been written back."""
    os.sync()
    disk = host.saved / saved_id / "disk.img"
    return subprocess.run(["debugfs", "-R", "cat /upper/var/log/docker.log", disk], capture_output=True, check=True).stdout.decode()


def test_it_is_saved_and_resumed_with_images_volumes_and_containers(host: Host, run: Run) -> None:
    """In another slot: the files of each container keep their owners."""
    _shell(run, "docker run --detach --restart always --name stays --user 1234 busybox sleep 1000")
    _shell(
        run, "docker run --name wrote --volume kept:/data busybox sh -c 'echo by 1234 > /data/file; chown 1234:99 /data/file; touch /own'"
    )
    before = _shell(run, "docker images --quiet --no-trunc | sort")
    saved_id, slot = "5a" * 16, held_slot(host, ID)
    assert slot is not None
    begun = time.monotonic()
    sandbox.save(host, ID, saved_id)
    assert time.monotonic() - begun < 9, "`sleep` heeds no SIGTERM as a first process: it is killed in the end, and the engine ends well"
    assert "Daemon shutdown complete" in _log_of_engine(host, saved_id)
    sandbox.destroy(host, ID)
    next_door = lease_slot(host, "e" * 32)
    try:
        sandbox.create(host, checked_spec(id=ID, image="docker", profile="docker", limits=DOCKER), resumed=saved_id)
        assert held_slot(host, ID) != slot
        assert _shell(run, "docker images --quiet --no-trunc | sort") == before
        assert (
            _shell(run, "docker run --rm --volume kept:/data busybox sh -c 'cat /data/file; stat -c %u:%g /data/file'")
            == "by 1234\n1234:99"
        )
        assert _shell(run, "docker start wrote >/dev/null && docker diff wrote | sort") == "A /data\nA /own"
        until(lambda: _shell(run, "docker exec stays id -u || true") == "1234", "the container that restarts always runs again")
        assert _shell(run, "printf 'FROM busybox\nRUN echo again\n' | docker build --quiet -").startswith("sha256:")
        sandbox.destroy(host, ID)
    finally:
        release_slot(host, next_door)
        saved.remove(host, saved_id)
    sandbox.create(host, checked_spec(id=ID, image="docker", profile="docker", limits=DOCKER))


def test_it_is_destroyed_with_all_of_its_containers(host: Host, run: Run) -> None:
    _shell(run, "docker run --detach busybox sleep 1000 && docker run --detach --user 99 busybox sleep 1000")
    found = Traces(host, ID)
    assert len(found.processes()) > 6
    assert any("docker" in group for group in found.cgroups())
    sandbox.destroy(host, ID)
    assert found.left() == {}
    sandbox.create(host, checked_spec(id=ID, image="docker", profile="docker", limits=DOCKER))
