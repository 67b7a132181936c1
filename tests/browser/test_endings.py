"""What runs into a limit, and what ends, says so in words with figures and a way on."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import expect

from engine.runtime import instance
from engine.runtime.host import Host
from tests.browser.person import Person

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
HUNGRY = "python3 -c 'x = [bytearray(1 << 20) for _ in range(9999)]'"


def _host(person: Person) -> Host:
    with ThreadPoolExecutor(1) as threads:  # pyroute2 runs a loop of its own, which Playwright's thread has already
        return threads.submit(instance.opened, person.site.installation.state).result()


def test_a_program_that_runs_out_of_memory_is_named_once(learner: Person) -> None:
    learner.open_lesson("A small machine")
    learner.at_the_prompt()
    learner.types(HUNGRY)
    learner.sees("Killed")
    notice = learner.page.locator(".lab-notice")
    expect(notice).to_contain_text("Your machine ran out of memory", timeout=20_000)
    expect(notice).to_contain_text(re.compile(r"python3 used \d\d of 64 MiB and was stopped\. Your files are safe\."))
    expect(notice.locator("code")).to_have_text("python3")
    learner.shot("notice-memory")
    notice.get_by_role("button", name="Dismiss").click()
    expect(notice).to_be_hidden()
    learner.page.reload()
    learner.at_the_prompt()
    expect(notice).to_be_hidden()
    learner.types(HUNGRY)
    expect(notice).to_contain_text("python3", timeout=20_000)


def test_a_machine_that_memory_ended_shows_the_figures_and_restarts(learner: Person) -> None:
    learner.open_lesson("A small machine")
    learner.at_the_prompt()
    directory = _host(learner).directory(learner.machines()[0]["id"].replace("-", ""))
    # Its first process goes last of all. Here it goes first, and files in memory, which are no process's, leave the kernel nobody else.
    Path(f"/proc/{(directory / 'init.pid').read_text()}/oom_score_adj").write_text("1000")
    learner.types("head -c 120000000 /dev/zero > /tmp/large")
    learner.page.get_by_role("heading", name="Your machine ran out of memory").wait_for(timeout=30_000)
    expect(learner.pane).to_have_attribute("data-state", "failed")
    card = learner.page.locator(".lab-card")
    expect(card).to_contain_text("filled its 64 MiB")
    expect(card).to_contain_text("or ask your instructor for a larger limit.")
    learner.shot("end-memory")
    learner.page.get_by_role("button", name="Restart").click()
    learner.at_the_prompt()


def test_a_machine_whose_first_process_ended_shows_why_and_restarts(learner: Person) -> None:
    learner.open_lesson("A small machine")
    learner.at_the_prompt()
    directory = _host(learner).directory(learner.machines()[0]["id"].replace("-", ""))
    os.kill(int((directory / "init.pid").read_text()), 9)
    learner.page.get_by_role("heading", name="Your machine stopped working").wait_for(timeout=30_000)
    expect(learner.pane).to_have_attribute("data-state", "failed")
    card = learner.page.locator(".lab-card")
    expect(card).to_contain_text(re.compile(r"Memory was not short: it held \d+ of 64 MiB at most\."))
    learner.shot("end-failed")
    learner.page.get_by_role("button", name="Restart").click()
    learner.at_the_prompt()


def test_a_terminal_whose_holder_was_killed_comes_back_by_itself(learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.runs("touch /root/mine")
    directory = _host(learner).directory(learner.machines()[0]["id"].replace("-", ""))
    os.kill(int((directory / "terminals" / "1" / "conmon.pid").read_text()), 9)
    expect(learner.page.locator(".lab-notice")).to_contain_text("Terminal 1 has a fresh shell", timeout=30_000)
    learner.until(lambda: "mine" not in learner.screen(), "the screen is drawn afresh", 20)
    learner.at_the_prompt()
    assert learner.runs("ls /root").strip() == "mine"
