"""Measure, on a site of its own: from a click to the first byte of the prompt, cold and warm; what an idle sandbox costs.

Each figure is a median; the ratio is against `unshare` with the same namespaces, which is the floor, measured in the same run.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from deploy.installation import SOURCE
from engine.runtime import instance, sandbox
from tests.bench.idle import idle_cost
from tests.bench.visitor import Visitor
from tests.ops.stack import Stack

CLICKS = 20
PASSWORD = "correct horse battery"
LESSONS = {"linux": "docker/about/your-first-machine", "docker": "docker/first-contact/run-a-container"}


def site(name: str, pool: str) -> Stack:
    stack = Stack(name, PLAYGROUND_POOL=pool)
    stack.installation.claim()
    for built in ("images", "registry"):
        if not (stack.installation.state / built).is_symlink():
            (stack.installation.state / built).symlink_to(f"{os.environ['PLAYGROUND_STATE']}/{built}")
    shutil.rmtree(stack.installation.state / "db", ignore_errors=True)
    stack.prepare()
    subprocess.run([sys.executable, "manage.py", "course", "import", "courses/docker"], cwd=SOURCE, env=stack.environment, check=True)
    stack.start()
    return stack


def median_ms(measure: Callable[[], float], count: int = CLICKS) -> float:
    return statistics.median(measure() for _ in range(count)) * 1000


def unshare() -> float:
    begun = time.perf_counter()
    subprocess.run(["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--user", "--map-root-user", "true"], check=True)
    return time.perf_counter() - begun


def report(what: str, ms: float, floor: float) -> None:
    print(f"{what:<58} {ms:8.1f} ms   {ms / floor:6.1f} x", flush=True)


def clicks(stack: Stack, account: str, lesson: str, warm: bool) -> tuple[float, float]:
    """Medians of start and of teardown, in ms."""
    visitor = Visitor(stack.installation.port, account, PASSWORD)
    host = instance.opened(stack.installation.state)
    starts, stops = [], []
    for _ in range(CLICKS):
        if warm:
            stack.until(lambda: '"ready"' in stack.manage("sandbox", "list", "--json"), "the pool has one ready")
        seconds, lab = visitor.click(lesson)
        starts.append(seconds)
        stops.append(visitor.stop(lab))
    assert all(sandbox.alive(host, found) for found in sandbox.present(host)), "only the pool's are left"
    return statistics.median(starts) * 1000, statistics.median(stops) * 1000


def main() -> None:
    floor = median_ms(unshare)
    print(f"{'median of ' + str(CLICKS):<58} {'':>11}   of unshare")
    report("unshare with the same namespaces", floor, floor)
    for image, lesson in LESSONS.items():
        for warm in (False, True):
            stack = site("bench", f"{image}=1" if warm else "")
            try:
                account = "instructor" if warm else "student"
                start, stop = clicks(stack, account, lesson, warm)
                report(f"{image}, {'warm' if warm else 'cold'}: click to first byte of the prompt", start, floor)
                report(f"{image}: stop to nothing left", stop, floor)
                if warm:
                    print(
                        f"{image}: an idle sandbox holds {idle_cost(stack) / 2**20:.1f} MiB (proportional set size, conmon, kernel memory)"
                    )
            finally:
                stack.stop()


if __name__ == "__main__":
    main()
