"""Measure, on a site of its own: from a click to the first byte of the prompt, cold, warm and many at once; teardown; idle sandboxes; and
the terminal stream (tests/bench/stream.py, which also runs alone).

Each figure is a median. The ratio is against a whole `docker run` of the same root file system in the same run, where Docker is installed,
and else against `unshare` with the same namespaces, which is the floor.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil

from engine.runtime import images, instance, sandbox
from tests.bench import stream
from tests.bench.idle import idle_cost
from tests.bench.peer import docker
from tests.bench.site import BUILT, site, visitors
from tests.ops.stack import Stack

COUNT = 20  # samples of a median
TOGETHER = 20  # clicks at once
CROWD = 200  # idle sandboxes
LESSONS = {"linux": "docker/about/your-first-machine", "docker": "docker/first-contact/run-a-container"}


class Table:
    """Printed line by line, with the ratio to `unit`."""

    def __init__(self, unit: float, name: str) -> None:
        self.unit = unit
        print(f"{f'median of {COUNT}':<66} {'':>11}   {name}")

    def line(self, what: str, seconds: float) -> None:
        print(f"{what:<66} {seconds * 1000:8.1f} ms   {seconds / self.unit:6.2f} x", flush=True)

    def note(self, what: str) -> None:
        print(what, flush=True)


def warm(stack: Stack) -> int:
    """How many of the pool are ready."""
    return stack.manage("sandbox", "list", "--json").count('"ready"')


def median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(COUNT))


def unshare() -> float:
    begun = time.perf_counter()
    subprocess.run(["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--user", "--map-root-user", "true"], check=True)
    return time.perf_counter() - begun


def one_after_another(table: Table, image: str, lesson: str, pool: bool) -> float:
    """Clicks of one visitor who stops each machine before the next. Returns the median start in seconds."""
    with site(f"{image}=1" if pool else "") as stack:
        accounts = visitors(stack, 2)  # nobody may start more than twenty in ten minutes
        host = instance.opened(stack.installation.state)
        starts, stops, firsts = [], [], []
        for number in range(COUNT + 1):
            if pool:
                stack.until(lambda: warm(stack) == 1, "the pool has one ready")
            visitor = accounts[number % 2]
            seconds, lab = visitor.click(lesson)
            if image == "docker" and number <= COUNT // 4:
                firsts.append(visitor.command(lab, "docker version"))
            stopped = visitor.stop(lab)
            if number:  # the first finds cold caches
                starts.append(seconds)
                stops.append(stopped)
        if pool:
            stack.until(lambda: warm(stack) == 1, "the pool has one ready")
        assert all(sandbox.alive(host, found) for found in sandbox.present(host)), "only the pool's are left"
        start = statistics.median(starts)
        table.line(f"{image}, {'warm' if pool else 'cold'}: click to first byte of the prompt", start)
        table.line(f"{image}: stop to nothing left", statistics.median(stops))
        if firsts:
            table.line(f"{image}: first docker command, typed at the prompt, to its end", statistics.median(firsts))
        if pool:
            table.note(f"{image}: an idle sandbox holds {idle_cost(stack) / 2**20:.1f} MiB (proportional set size, conmon, kernel memory)")
        return start


def all_at_once(table: Table, lesson: str, cold: float) -> None:
    """As many visitors click in the same moment."""
    with site() as stack:
        people = visitors(stack, TOGETHER)
        people[0].stop(people[0].click(lesson)[1])
        with ThreadPoolExecutor(TOGETHER) as threads:
            seconds = sorted(start for start, _ in threads.map(lambda visitor: visitor.click(lesson), people))
        table.line(f"{TOGETHER} clicks at once: median", statistics.median(seconds))
        table.line(f"{TOGETHER} clicks at once: the last", seconds[-1])
        cores = len(os.sched_getaffinity(0))
        table.line(f"  for comparison, {TOGETHER} x one cold / {cores} cores", TOGETHER * cold / cores)


def crowd(table: Table) -> None:
    """Many idle sandboxes, and one click among them."""
    with site(f"linux={CROWD}", PLAYGROUND_MAX_SANDBOXES=str(CROWD + 10)) as stack:
        (visitor,) = visitors(stack, 1)
        before, begun = psutil.virtual_memory().available, time.monotonic()
        stack.until(lambda: warm(stack) == CROWD, f"{CROWD} are ready", 300)
        used = before - psutil.virtual_memory().available
        table.note(f"{CROWD} idle linux sandboxes: {used / 2**30:.2f} GiB less memory available; made in {time.monotonic() - begun:.0f} s")
        seconds, lab = visitor.click(LESSONS["linux"])
        table.line(f"beside {CROWD} idle ones, warm: click to first byte of the prompt", seconds)
        visitor.stop(lab)


def main() -> None:
    floor = median(unshare)
    with docker(images.current(BUILT / "images", "linux").rootfs) as peer:
        whole = median(peer.run) if peer else None
    table = Table(whole or floor, "of docker run" if whole else "of unshare")
    table.line("unshare with the same namespaces", floor)
    if whole:
        table.line("docker run --rm IMAGE /bin/true, our linux image", whole)
    else:
        table.note("No Docker on this host to compare with: apt-get install --no-install-recommends docker.io")
    cold = one_after_another(table, "linux", LESSONS["linux"], pool=False)
    one_after_another(table, "linux", LESSONS["linux"], pool=True)
    for pool in (False, True):
        one_after_another(table, "docker", LESSONS["docker"], pool)
    all_at_once(table, LESSONS["linux"], cold)
    crowd(table)
    stream.main()


if __name__ == "__main__":
    main()
