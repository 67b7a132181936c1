"""The main job, end to end: a lesson with a live Linux machine beside it, and Docker in it."""

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.runtime import instance
from tests.browser.person import Person
from tests.traces import Traces


def traces_of(person: Person, sandbox_id: str) -> Traces:
    """In a thread of its own: Playwright keeps an event loop running in this one, and netlink wants one too."""

    def look() -> Traces:
        return Traces(instance.opened(person.site.installation.state), sandbox_id)

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(look).result()


def test_it_works(student: Person) -> None:
    """A click, a prompt, and a real Docker Engine: run, build, a published port that answers inside the lab."""
    student.open_lesson("A Docker Engine")
    student.at_the_prompt()
    student.page.get_by_role("button", name="Run: docker run --rm debian:stable echo hello").click()
    student.sees(re.compile(r"^hello$", re.M), 60)
    student.runs("mkdir -p web && cd web && printf 'FROM busybox\\nRUN echo built-here > /index.html\\n' > Dockerfile")
    assert "naming to docker.io/library/site" in student.runs("docker build --progress=plain -t site . 2>&1", 90)
    student.runs("docker run -d --name web1 -p 8080:80 site httpd -f -h /", 60)
    assert "built-here" in student.runs("curl -s --retry 5 --retry-all-errors localhost:8080")
    assert "web1" in student.runs("docker rm -f web1")


def test_a_resized_window_reaches_the_shell(learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    wide = learner.runs("stty size").split()
    learner.page.set_viewport_size({"width": 1024, "height": 600})
    learner.until(lambda: learner.runs("stty size").split() != wide, "stty size follows the window")
    rows, columns = learner.runs("stty size").split()
    shown = learner.page.evaluate("() => [window.playgroundTerminals[0].rows, window.playgroundTerminals[0].cols]")
    assert [int(rows), int(columns)] == shown


def test_a_reload_keeps_the_shell_and_its_scrollback(learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.runs("export KEPT=yes; seq 1 500")
    learner.page.reload()
    learner.at_the_prompt()
    learner.sees(re.compile(r"^1\n2\n3\n", re.M))
    assert learner.runs("echo $KEPT").strip() == "yes"


def test_killed_web_and_worker_keep_the_shell(learner: Person) -> None:
    """What a person sees is a shell that goes on: its variables, its jobs and what it printed meanwhile."""
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.runs("export KEPT=through")
    learner.types("for i in $(seq 1 200); do echo tick-$i; sleep 0.1; done")
    learner.sees("tick-2")
    for name in ("web", "engine"):
        old = learner.site.pid(name)
        os.kill(old, signal.SIGKILL)
        learner.until(lambda name=name, old=old: learner.site.pid(name) not in (0, old), f"{name} is restarted", 30)  # type: ignore[misc]
    learner.until(lambda: learner.site.health()[0] == 200, "the site is well again", 60)
    learner.sees("tick-200", 60)
    ticks = [int(number) for number in re.findall(r"^tick-(\d+)$", learner.screen(), re.M)]
    assert ticks == list(range(1, 201)), "no line lost, none twice"
    assert learner.runs("echo $KEPT").strip() == "through"


def test_an_idle_machine_ends_with_a_warning_and_leaves_nothing(learner: Person) -> None:
    learner.open_lesson("A machine that is soon idle")
    learner.at_the_prompt()
    machine = learner.machines()[0]
    traces = traces_of(learner, machine["id"].replace("-", ""))
    warning = learner.page.locator(".lab-warning")
    warning.get_by_role("button", name="Keep it").click(timeout=30_000)
    learner.until(lambda: not warning.is_visible(), "keeping it takes the warning away")
    warning.wait_for(state="visible", timeout=30_000)
    learner.page.get_by_role("heading", name="Your machine was not in use").wait_for(timeout=30_000)
    learner.until(lambda: learner.machines() == [], "the machine is gone", 20)
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(traces.left).result() == {}
    learner.page.get_by_role("button", name="Restart").click()
    learner.at_the_prompt()


def test_a_stopped_machine_can_be_started_again(learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.runs("touch /root/mine")
    learner.page.get_by_role("button", name="Stop the machine").click()
    learner.confirm()
    learner.page.get_by_role("heading", name="You stopped this machine").wait_for()
    learner.page.get_by_role("button", name="Restart").click()
    learner.at_the_prompt()
    assert "mine" not in learner.runs("ls /root")


def test_a_lesson_s_files_and_setup_are_there_before_the_prompt(learner: Person) -> None:
    learner.open_lesson("A prepared machine")
    learner.at_the_prompt()
    assert learner.runs("cat copied.txt").strip() == "Good morning"


def test_the_screenshots_to_look_at(learner: Person) -> None:
    """Light, dark and phone, kept for a person to look at."""
    shots = Path(learner.site.installation.state) / "screenshots"
    shots.mkdir(exist_ok=True)
    learner.open_lesson("run a container", "Docker, from zero")
    learner.at_the_prompt()
    learner.runs("docker run --rm hello-world", 60)
    for name, width, scheme in (("light", 1440, "light"), ("dark", 1440, "dark"), ("phone", 360, "light")):
        learner.page.set_viewport_size({"width": width, "height": 860})
        learner.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        learner.page.wait_for_timeout(300)
        file = shots / f"lesson-{name}.png"
        learner.page.screenshot(path=file)
        assert file.stat().st_size > 10_000
