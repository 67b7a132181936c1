"""What a user would pick instead, on the same host with the same root file system: Docker (Debian's docker.io), where it is installed."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "playground-peer"


class Docker:
    """An engine of its own, beside any other."""

    def __init__(self, directory: Path) -> None:
        self.socket = f"unix://{directory}/docker.sock"

    def call(self, *words: str) -> None:
        subprocess.run(["docker", "--host", self.socket, *words], check=True, stdout=subprocess.DEVNULL)

    def run(self) -> float:
        """Seconds of a whole `docker run`, from the command to its end, with the limits our sandboxes have."""
        begun = time.perf_counter()
        limits = ("--memory", "512m", "--memory-swap", "512m", "--cpus", "1", "--pids-limit", "256")
        self.call("run", "--rm", *limits, NAME, "/bin/true")
        return time.perf_counter() - begun


@contextmanager
def docker(rootfs: Path) -> Iterator[Docker | None]:
    """Docker with `rootfs` as its image, gone afterwards; None where it is not installed."""
    if shutil.which("dockerd") is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-", dir="/var/tmp") as name:
        directory = Path(name)
        peer = Docker(directory)
        # Without packet filter rules: it is to leave those of the host alone, and is the faster for it.
        command = [
            "dockerd", "--host", peer.socket, "--data-root", str(directory / "data"), "--exec-root", str(directory / "run"),
            "--pidfile", str(directory / "pid"), "--cgroup-parent", f"/{NAME}", "--bip", "172.31.254.1/24",
            "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--userland-proxy=false",
        ]  # fmt: skip
        with (directory / "log").open("w") as log:
            daemon = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            _until_it_answers(peer, daemon, directory / "log")
            with subprocess.Popen(["tar", "-C", str(rootfs), "-c", "."], stdout=subprocess.PIPE) as tar:
                subprocess.run(
                    ["docker", "--host", peer.socket, "import", "-", NAME], stdin=tar.stdout, stdout=subprocess.DEVNULL, check=True
                )
            yield peer
        finally:
            daemon.terminate()
            daemon.wait(30)
            subprocess.run(["ip", "link", "delete", "docker0"], check=False, stderr=subprocess.DEVNULL)
            for group in Path("/sys/fs/cgroup").glob(f"*/{NAME}"):
                group.rmdir()


def _until_it_answers(peer: Docker, daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 60
    while subprocess.run(["docker", "--host", peer.socket, "version"], check=False, capture_output=True).returncode != 0:
        if daemon.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"Docker did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)
