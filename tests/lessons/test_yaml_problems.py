import pytest

from lessons.settings_files import CourseSettings, LessonSettings
from lessons.yaml_files import InvalidYaml, load

CASES = [
    ("title: x\nminuts: 3", 3, "unknown key 'minuts'", "'minutes'"),
    ("title: x\nlab:\n  image: linux\n  memry: 1GiB", 5, "unknown key 'memry'", "'memory'"),
    ("title: x\nlab:\n  image: linux\n  files:\n    - {from: a, to: /b, too: /c}", 6, "unknown key 'too'", "'to'"),
    ("title: x\nlab:\n  image: linux\n  ports:\n    - {port: 80}\n    - {port: 99999}", 7, "lab.ports.1.port", "99999"),
    ("title: x\nlab:\n  image: linux\n  memory: 1KiB", 5, "lab.memory", "1KiB"),
    ("title: x\nlab:\n  image: linux\n  memory: much", 5, "not a size", "much"),
    ("title: x\nlab:\n  image: linux\n  idle: soon", 5, "90s, 15m or 2h", "soon"),
    ("title: x\nlab:\n  image: linux\n  deadline: 400h", 5, "seven days", "400h"),
    ("title: x\nlab:\n  image: linux\n  network: lan", 5, "lab.network", "lan"),
    ("title: x\nlab:\n  image: linux\n  terminals: 5", 5, "lab.terminals", "5"),
    ("title: x\nlab:\n  image: Linux;rm", 4, "lab.image", "Linux;rm"),
    ("title: x\nlab:\n  image: linux\n  files: [{from: ../../etc, to: /x}]", 5, "without ..", "../../etc"),
    ("title: x\nlab:\n  image: linux\n  files: [{from: a, to: /root/../etc}]", 5, "full path", "/root/../etc"),
    ("title: x\nlab:\n  memory: 1GiB", 3, "lab.image is missing", "Add"),
    ("summary: x", 2, "title is missing", "Add"),
    ("title: 12", 2, "title", "12"),
    ("title: x\ntitle: y", 3, "duplicate key", "Check"),
    ("title: x\n bad: [", 3, "not valid YAML", "Check"),
    ("- a", 2, "no settings", "title:"),
]


@pytest.mark.parametrize(("text", "line", "what", "remedy"), CASES, ids=[case[2] for case in CASES])
def test_it_says_where_what_and_what_to_do(text: str, line: int, what: str, remedy: str) -> None:
    with pytest.raises(InvalidYaml) as caught:
        load(LessonSettings, text, "lesson.md", first_line=2)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("lesson.md", line)
    assert what in problem.text
    assert remedy in problem.remedy


def test_sizes_and_times_become_bytes_and_seconds() -> None:
    settings = load(LessonSettings, "title: x\nlab: {image: linux, memory: 1GiB, disk: 512MiB, idle: 15m, deadline: 2h}", "lesson.md")
    assert settings.lab
    assert (settings.lab.memory, settings.lab.disk, settings.lab.idle, settings.lab.deadline) == (1 << 30, 512 << 20, 900, 7200)


def test_what_is_left_out_is_left_to_the_engine() -> None:
    settings = load(LessonSettings, "title: x\nlab: {image: linux}", "lesson.md")
    assert settings.lab
    assert (settings.lab.memory, settings.lab.network, settings.lab.terminals) == (None, None, 1)


def test_a_word_like_no_is_text_in_yaml_1_2() -> None:
    assert load(CourseSettings, "title: no\nchapters: [a]", "course.yaml").title == "no"


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(InvalidYaml) as caught:
        load(LessonSettings, "titel: x\nminutes: 0", "lesson.md")
    assert [problem.line for problem in caught.value.problems] == [1, 1, 2]


def test_a_file_made_to_exhaust_the_reader_ends() -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    for text in (laughs + "title: *a59", "title: " + "[" * 5000):
        with pytest.raises(InvalidYaml):
            load(LessonSettings, text, "lesson.md")
