"""One terminal in two windows of a learner."""

from tests.browser.person import Person

SIZE = "() => [window.playgroundTerminals[0].rows, window.playgroundTerminals[0].cols, window.playgroundTerminals[0].options.fontSize]"


def test_both_show_it_whole_in_the_size_of_the_one_used_last(learner: Person) -> None:
    learner.open_lesson("A shell")
    learner.at_the_prompt()
    page = learner.page.context.new_page()
    page.set_viewport_size({"width": 1000, "height": 500})
    page.goto(learner.page.url)
    second = Person(page, learner.site, learner.name)
    second.at_the_prompt()
    learner.sees("root@lab")
    small = second.runs("stty size").split()
    learner.until(lambda: [str(n) for n in learner.page.evaluate(SIZE)[:2]] == small, "the larger window shows the smaller terminal")
    assert learner.page.evaluate(SIZE)[2] == 14, "in its own font"
    learner.until(lambda: learner.runs("stty size").split() != small, "who types decides")
    large = learner.runs("stty size").split()
    second.until(lambda: [str(n) for n in page.evaluate(SIZE)[:2]] == large, "the smaller window shows the larger terminal")
    assert page.evaluate(SIZE)[2] < 14, "in a smaller font"
    second.sees(" ".join(large))
    page.close()
