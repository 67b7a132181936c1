"""The HTML that the page's styles and scripts rely on."""

import re

import pytest

from lessons.markup.blocks import BLOCKS, Check, Console, File, Keys, Mermaid, Port, Quiz, Script, Section
from tests.lessons.conftest import Render


def text_of(html: str) -> str:
    return re.sub("<[^>]+>", "", html)


def test_it_works(render: Render) -> None:
    document = render("# Title\n\n## First\n\nWords.\n\n```console\n$ echo hello\nhello\n```\n")
    assert document.problems == []
    assert document.heading == "Title"
    assert "<h1" not in document.html
    assert document.outline == [{"id": "s-first", "title": "First", "level": 2}]
    assert document.html == (
        '<h2 id="s-first">First</h2>\n<p>Words.</p>\n'
        '<div class="console" data-kind="console" data-terminal="1"><div class="command" data-command="echo hello">'
        '<span class="prompt" aria-hidden="true">$ </span><code><span class="nb">echo</span><span class="w"> </span>hello</code>'
        '<button class="copy" aria-label="Copy: echo hello" type="button">Copy</button>'
        '<button class="run" aria-label="Run: echo hello" type="button">Run</button></div>'
        '<pre class="output" data-lines="1"><code>hello</code></pre></div>\n'
    )


def test_a_command_keeps_quotes_angle_brackets_and_line_breaks(render: Render) -> None:
    html = render('```console\n$ echo "<b>&" \\\n> more\n```').html
    assert 'data-command="echo &quot;&lt;b&gt;&amp;&quot; \\\nmore"' in html
    assert "<b>" not in html


def test_norun_leaves_the_copy_button_only(render: Render) -> None:
    document = render("```console {norun}\n$ reboot\n```")
    assert 'class="copy"' in document.html
    assert 'class="run"' not in document.html
    assert isinstance(block := document.blocks[0], Console)
    assert not block.run


def test_terminal_and_interrupt_reach_the_page(render: Render) -> None:
    document = render("```console {terminal=2 interrupt}\n$ top\n$ ls\n```")
    assert 'data-terminal="2"' in document.html
    assert document.html.count("data-interrupt") == 1
    assert isinstance(block := document.blocks[0], Console)
    assert (block.terminal, block.interrupt) == (2, True)


def test_keys_are_shown_as_keys(render: Render) -> None:
    document = render("```console {keys}\nCtrl-P Ctrl-Q\n```")
    assert "<kbd>Ctrl-P</kbd> <kbd>Ctrl-Q</kbd></div>" in document.html
    assert isinstance(block := document.blocks[0], Keys)
    assert block.keys == ["Ctrl-P", "Ctrl-Q"]


def test_a_script_is_one_command(render: Render) -> None:
    document = render("```sh\nfor i in 1 2; do\n  echo $i\ndone\n```")
    assert 'data-kind="sh"' in document.html
    assert document.html.count('class="run"') == 1
    assert isinstance(block := document.blocks[0], Script)
    assert block.text == "for i in 1 2; do\n  echo $i\ndone"


def test_a_file_block_holds_exactly_the_file(render: Render) -> None:
    content = "\n\nservices:\n  web: {}   \n\n"
    document = render(f"```yaml {{file=/root/compose.yaml}}\n{content}```")
    assert 'data-path="/root/compose.yaml"' in document.html
    assert '<button class="write-file" type="button">Write file</button>' in document.html
    assert isinstance(block := document.blocks[0], File)
    assert block.content == content
    inside = re.search(r"<pre[^>]*><code[^>]*>(.*?)</code></pre>", document.html, re.DOTALL)
    assert inside
    assert text_of(inside[1]) == content


@pytest.mark.parametrize("kind", ["NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"])
def test_alerts(render: Render, kind: str) -> None:
    html = render(f"> [!{kind}]\n> Careful.").html
    assert f'<div class="alert alert-{kind.lower()}" role="note">' in html
    assert f'<p class="alert-title">{kind.capitalize()}</p>' in html


def test_sections_and_details(render: Render) -> None:
    document = render(
        "::: tldr\nShort.\n:::\n\n::: commands\n- `ls`\n:::\n\n::: hint\nH\n:::\n\n::: solution The *port*\n```sh\nls\n```\n:::"
    )
    assert document.problems == []
    assert '<section class="tldr">' in document.html
    assert '<section class="commands">' in document.html
    assert '<details class="hint"><summary>Hint</summary>' in document.html
    assert '<details class="solution"><summary>The <em>port</em></summary>' in document.html
    assert [block.name for block in document.blocks if isinstance(block, Section)] == ["tldr", "commands", "hint", "solution"]
    assert [block.within for block in document.blocks if isinstance(block, Script)] == ["solution"]


def test_a_check_shows_its_task_and_not_its_script(render: Render) -> None:
    document = render("::: check Is `web1` running?\nUse docker.\n```sh\nsecret-probe\n```\n:::")
    assert '<section class="check" data-check="is-web1-running">' in document.html
    assert "Is <code>web1</code> running?" in document.html
    assert "Use docker." in document.html
    assert "secret-probe" not in document.html
    assert isinstance(block := document.blocks[0], Check)
    assert block.script == "secret-probe"


def test_a_quiz_keeps_its_answers_off_the_page(render: Render) -> None:
    document = render("::: quiz\nWhich **one**?\n\n- [x] The `first`\n  Because *so*.\n- [ ] The second\n\n  It is not.\n:::")
    assert document.problems == []
    assert "<li>The <code>first</code></li>" in document.html
    assert "checkbox" not in document.html
    assert "Because" not in document.html
    assert "It is not" not in document.html
    assert isinstance(quiz := document.blocks[0], Quiz)
    assert [(option.right, text_of(option.explanation).strip()) for option in quiz.options] == [
        (True, "Because so."),
        (False, "It is not."),
    ]


def test_a_port_link(render: Render) -> None:
    document = render("Open {{port:8080}} now. `{{port:9}}` stays.")
    assert '<a class="port" data-port="8080" href="#port-8080" rel="noopener noreferrer">port 8080</a>' in document.html
    assert "{{port:9}}" in document.html
    assert [block.port for block in document.blocks if isinstance(block, Port)] == [8080]


def test_a_diagram_is_kept_as_its_source(render: Render) -> None:
    document = render("```mermaid\ngraph LR; A-->B\n```")
    assert '<pre class="mermaid">graph LR; A--&gt;B</pre>' in document.html
    assert isinstance(document.blocks[0], Mermaid)


def test_a_picture_alone_is_a_figure_with_its_size(render: Render) -> None:
    html = render('![A box](images/box.svg "The *caption*")').html
    assert html == (
        '<figure><img src="/media/box.svg" alt="A box" loading="lazy" width="40" height="20">'
        "<figcaption>The *caption*</figcaption></figure>\n"
    )


def test_tables_footnotes_definitions_and_tasks(render: Render) -> None:
    html = render("| a | b |\n|---|--:|\n| 1 | 2 |\n\nText[^1].\n\n[^1]: Foot.\n\nTerm\n: What it is\n\n- [x] done").html
    assert '<td class="align-right">2</td>' in html
    assert 'href="#fn1"' in html
    assert 'id="fn1"' in html
    assert "<dd>What it is</dd>" in html
    assert 'type="checkbox"' in html
    assert "style=" not in html


def test_links_to_sections_and_lessons_lead_there(render: Render) -> None:
    html = render("## There\n\n[a](#there) [b](02-next.md) [c](https://example.org/)").html
    assert 'href="#s-there"' in html
    assert 'href="/next/"' in html
    assert 'href="https://example.org/" rel="noopener noreferrer"' in html


def test_headings_of_one_name_get_different_anchors(render: Render) -> None:
    outline = render("## Stop\n\n## Stop\n\n### Über alles\n").outline
    assert [heading["id"] for heading in outline] == ["s-stop", "s-stop-1", "s-über-alles"]


def test_code_is_coloured_by_class(render: Render) -> None:
    html = render("```python\nimport os\n```").html
    assert '<pre class="highlight"><code class="language-python"><span class="kn">import</span>' in html
    assert "style=" not in html


def test_blocks_survive_json(render: Render) -> None:
    blocks = render("```console\n$ ls\na\n```\n\n::: quiz\nQ?\n- [x] a\n- [ ] b\n:::\n").blocks
    assert BLOCKS.validate_json(BLOCKS.dump_json(blocks)) == blocks
