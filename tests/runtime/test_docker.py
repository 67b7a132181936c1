"""A Docker Engine of its own in a sandbox, fed by the lab registry: the commands that lessons are made of."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from engine.runtime import network, registry, sandbox
from engine.runtime.host import Host
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


def test_a_published_port_answers_inside(run: Run) -> None:
    script = "mkdir /www && echo it works > /www/index.html && exec httpd -f -p 80 -h /www"
    _shell(run, f"docker run --detach --name web --publish 8080:80 busybox sh -c '{script}'")
    assert _shell(run, "curl --silent --retry 20 --retry-delay 1 --retry-all-errors http://localhost:8080") == "it works"
    _shell(run, "docker rm --force web")


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


def test_it_is_destroyed_with_all_of_its_containers(host: Host, run: Run) -> None:
    _shell(run, "docker run --detach busybox sleep 1000 && docker run --detach --user 99 busybox sleep 1000")
    found = Traces(host, ID)
    assert len(found.processes()) > 6
    assert any("docker" in group for group in found.cgroups())
    sandbox.destroy(host, ID)
    assert found.left() == {}
    sandbox.create(host, checked_spec(id=ID, image="docker", profile="docker", limits=DOCKER))
