import pytest

from lessons.markup.console import TranscriptProblem, parse_keys, parse_transcript


def test_it_works() -> None:
    commands = parse_transcript("$ docker run hello\nHello\n...\n$ true", 10)
    assert [(item.line, item.prompt, item.text, item.output) for item in commands] == [
        (10, "$", "docker run hello", ["Hello", "..."]),
        (13, "$", "true", []),
    ]


def test_a_hash_is_the_prompt_inside_a_container() -> None:
    commands = parse_transcript("$ docker exec -it web bash\n# ps\n  PID\n# exit", 1)
    assert [(item.prompt, item.text) for item in commands] == [("$", "docker exec -it web bash"), ("#", "ps"), ("#", "exit")]
    assert commands[1].output == ["  PID"]


def test_a_trailing_backslash_goes_on_with_and_without_the_second_prompt() -> None:
    plain, prompted = parse_transcript("$ docker run \\\n    --rm debian\n$ echo a \\\n> b\na b", 1)
    assert plain.text == "docker run \\\n    --rm debian"
    assert (prompted.text, prompted.output) == ("echo a \\\nb", ["a b"])


def test_a_heredoc_keeps_its_empty_lines_and_indentation() -> None:
    (command,) = parse_transcript("$ cat > a.yaml <<EOF\n> services:\n>   web:\n>\n> EOF", 1)
    assert command.text == "cat > a.yaml <<EOF\nservices:\n  web:\n\nEOF"
    assert command.output == []


def test_output_that_begins_like_a_second_prompt_stays_output_once_something_was_printed() -> None:
    (command,) = parse_transcript("$ diff a b\n1c1\n< old\n> new", 1)
    assert command.output == ["1c1", "< old", "> new"]


def test_empty_lines_in_output_are_kept() -> None:
    (command,) = parse_transcript("$ docker run hello-world\n\nHello from Docker!", 1)
    assert command.output == ["", "Hello from Docker!"]


def test_a_lone_hash_is_output() -> None:
    (command,) = parse_transcript("$ cat motd\n#\n#no command", 1)
    assert command.output == ["#", "#no command"]


@pytest.mark.parametrize(("text", "line"), [("Hello\n$ echo", 0), ("\nHello", 1), ("", 0)])
def test_a_transcript_begins_with_a_command(text: str, line: int) -> None:
    with pytest.raises(TranscriptProblem) as caught:
        parse_transcript(text, 1)
    assert caught.value.line == line


def test_keys_are_named_as_on_the_keyboard() -> None:
    assert parse_keys("Ctrl-P Ctrl-Q\nUp Enter") == ["Ctrl-P", "Ctrl-Q", "Up", "Enter"]
    assert parse_keys("Ctrl-Shift-C q Ctrl--") == ["Ctrl-Shift-C", "q", "Ctrl--"]


@pytest.mark.parametrize(("text", "remedy"), [("Ctlr-P", "'Ctrl'"), ("Entre", "'Enter'")])
def test_a_misspelt_key_is_named_with_the_nearest(text: str, remedy: str) -> None:
    with pytest.raises(TranscriptProblem) as caught:
        parse_keys(text)
    assert remedy in caught.value.remedy
