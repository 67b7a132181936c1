"""The lab registry: Debian's docker-registry (the CNCF distribution server) on the lab bridge, where `docker pull` in a sandbox goes.

Without an upstream it serves what is in its storage, read-only. With one it is a pull-through cache, and what is in its storage is served
all the same when the upstream has no such image or stops answering: a tag is asked for upstream first and locally then, manifests and
layers locally first (distribution 2.8, registry/proxy/proxytagservice.go, proxymanifeststore.go, proxyblobstore.go). Only at its start
must the upstream answer: it panics otherwise. So whether it does is asked before it is put into the configuration.
"""

import secrets
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ruamel.yaml import YAML

from engine.runtime.debian import ImageError

DOCKER_HUB = "https://registry-1.docker.io"
RESOLVE_SECONDS, START_SECONDS = 2.0, 15.0


def write_config(registry_dir: Path, config_path: Path, listen: str, upstream: str | None) -> str | None:
    """Write docker-registry's configuration: serve `registry_dir` on `listen` (address:port), for `upstream` if that answers now.

    Returns the upstream it was written for: None where there is none or it does not answer. Call it before each start.
    """
    config = _config(registry_dir, listen)
    if upstream is not None and not _answers(f"{upstream.rstrip('/')}/v2/"):
        upstream = None
    if upstream is None:
        config["storage"]["maintenance"]["readonly"] = {"enabled": True}
    else:
        config["proxy"] = {"remoteurl": upstream}  # a proxy takes no pushes either: distribution refuses them
    _write(config, config_path)
    return upstream


def _answers(url: str, seconds: float = 3.0) -> bool:
    """Whether an HTTP server answers there; a registry that wants a login first counts."""
    try:
        with urllib.request.urlopen(url, timeout=seconds):  # noqa: S310 (http or https: checked by resolve_upstream)
            return True
    except HTTPError:
        return True
    except OSError:  # URLError and time-outs
        return False


def _config(registry_dir: Path, listen: str) -> dict[str, Any]:
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(registry_dir)},
            "delete": {"enabled": False},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": listen, "secret": secrets.token_hex(16), "headers": {"X-Content-Type-Options": ["nosniff"]}},
    }


def _write(config: dict[str, Any], path: Path) -> None:
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(config, file)


def serve_argv(config_path: Path) -> tuple[str, ...]:
    """The command that serves `config_path` in the foreground."""
    return ("docker-registry", "serve", str(config_path))


def resolve_upstream(setting: str) -> str | None:
    """The upstream that `auto`, `none` or a URL stands for. `auto` is Docker Hub if its name resolves here. Raises ImageError."""
    if setting == "none":
        return None
    if setting == "auto":
        return DOCKER_HUB if _resolves("registry-1.docker.io") else None
    address = urlsplit(setting)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ImageError(f"The registry's upstream {setting!r} is neither `auto`, `none` nor a URL such as {DOCKER_HUB}.")
    return setting


def _resolves(host: str) -> bool:
    """Whether the name resolves within two seconds. No connection is made."""
    found: list[bool] = []

    def ask() -> None:
        try:
            socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
        except OSError:
            return
        found.append(True)

    # getaddrinfo(3) takes no timeout: the thread is left behind where a name server does not answer.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(RESOLVE_SECONDS)
    return bool(found)


@contextmanager
def pushable(registry_dir: Path, work_dir: Path) -> Iterator[str]:
    """A registry over `registry_dir` on a free port of the loopback that takes pushes; yields its address. It ends with the block."""
    if shutil.which("docker-registry") is None:
        raise ImageError("docker-registry is not installed: apt-get install docker-registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    _write(_config(registry_dir, listen), work_dir / "registry.yml")
    log = work_dir / "registry.log"
    with log.open("w") as output:
        process = subprocess.Popen(serve_argv(work_dir / "registry.yml"), stdout=output, stderr=output)
    try:
        _wait_until_up(process, listen, log)
        yield listen
    finally:
        process.terminate()
        process.wait()


def _wait_until_up(process: "subprocess.Popen[bytes]", listen: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if _answers(f"http://{listen}/v2/", seconds=1):
            return
        time.sleep(0.05)
    raise ImageError(f"docker-registry did not start. Its log:\n{log.read_text()[-2000:]}")
