"""Each block of a lesson runs in its own language's direction, and code from left to right."""

from lessons.markup.direction import directed
from tests.lessons.conftest import Render


def test_it_works(render: Render) -> None:
    html = directed(render("## שלום\n\nהפקודה `ls` מציגה קבצים.\n\n- One\n").html)  # noqa: RUF001
    assert 'dir="auto">שלום</h2>' in html
    assert '<p dir="auto">הפקודה <code dir="ltr">ls</code> מציגה קבצים.</p>' in html
    assert '<li dir="auto">One</li>' in html


def test_a_command_that_looks_like_a_tag_stays_as_it_is(render: Render) -> None:
    html = render('```console\n$ echo "<p>" \'<li a="b">\'\n<p>\n```\n').html
    commands = [part.split('"')[0] for part in html.split('data-command="')[1:]]
    assert commands
    assert [part.split('"')[0] for part in directed(html).split('data-command="')[1:]] == commands
    assert "&lt;p&gt;" in directed(html)
