"""Saving a machine, and finding everything in it another day."""

import re

from playwright.sync_api import expect

from tests.browser.person import Person


def test_it_works(learner: Person) -> None:
    """A file is written, the machine saved; it is there after a resume from the lesson, and after one from the home page."""
    page = learner.page
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.runs("echo it is there > /root/file; touch /srv/theirs; chown 1234:5678 /srv/theirs")
    learner.save("Half a web site")
    expect(page.get_by_role("heading", name="Your machine is saved")).to_be_visible()
    expect(learner.pane).to_contain_text("Half a web site")

    page.reload()
    page.get_by_role("button", name="Resume", exact=True).click()
    learner.at_the_prompt()
    assert learner.runs("cat /root/file; stat -c %u:%g /srv/theirs").split() == ["it", "is", "there", "1234:5678"]
    learner.runs("echo and this >> /root/file")
    page.get_by_role("button", name="Stop the machine").click()
    expect(page.get_by_role("dialog")).to_contain_text("Its files stay saved as “Half a web site”.")
    learner.confirm()
    expect(learner.pane).to_have_attribute("data-state", "ended")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()

    page.goto("/")
    row = page.locator("#saved-list li")
    expect(row).to_contain_text(re.compile(r"Half a web site\s+A shell.*linux", re.S))
    row.get_by_role("button", name="Resume Half a web site").click()
    learner.at_the_prompt()
    assert "and this" in learner.runs("cat /root/file")


def test_a_fresh_one_beside_it_and_a_question_before_it_is_deleted(learner: Person) -> None:
    page = learner.page
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    learner.runs("touch /root/mine")
    learner.save("")
    expect(page.get_by_role("dialog")).to_contain_text("Give it a name")
    page.get_by_role("dialog").get_by_label("Name").fill("To be deleted")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your machine is saved")).to_be_visible()
    page.get_by_role("button", name="Start a fresh machine").click()
    learner.at_the_prompt()
    assert "No such file" in learner.runs("ls /root/mine")
    page.get_by_role("button", name="Stop the machine").click()
    learner.confirm()
    expect(page.get_by_role("heading", name="You stopped this machine")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Resume To be deleted").click()
    learner.at_the_prompt()
    assert "No such file" not in learner.runs("ls /root/mine")
    page.get_by_role("button", name="Start over with a fresh machine").click()
    expect(page.get_by_role("dialog")).to_contain_text("stay saved as “To be deleted”")
    page.get_by_role("button", name="Keep this one").click()
    learner.save("To be deleted")
    expect(page.get_by_role("heading", name="Your machine is saved")).to_be_visible()

    page.goto("/")
    page.get_by_role("link", name="Delete To be deleted").click()
    expect(page.get_by_role("heading", name="Delete “To be deleted”?")).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Delete To be deleted").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("“To be deleted” is being deleted.")).to_be_visible()
    expect(page.locator("#saved-list")).to_contain_text("None.")
