from collections.abc import Callable
from pathlib import Path

import pytest

from lessons.folder import InvalidCourse, read_course

Change = Callable[[Path], object]


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(InvalidCourse) as caught:
        read_course(folder)
    return list(map(str, caught.value.problems))


def test_it_works(folder: Path) -> None:
    course = read_course(folder)
    assert course.slug == "tiny"
    assert [(chapter.slug, [lesson.slug for lesson in chapter.lessons]) for chapter in course.chapters] == [
        ("start", ["read-this", "type-this"]),
        ("more", ["the-end"]),
    ]
    assert sorted(course.files) == [
        f"01-start/{name}" for name in ("files/app/main.py", "files/app/run.sh", "files/hello.txt", "images/box.svg")
    ]
    assert course.files["01-start/files/app/run.sh"].executable
    html = course.chapters[0].lessons[0].document.html
    assert 'href="/courses/tiny/start/type-this/"' in html
    assert 'href="/courses/tiny/more/the-end/#s-bye"' in html
    assert 'src="/courses/tiny/media/01-start/images/box.svg"' in html
    assert 'width="40" height="20"' in html


def test_the_version_changes_with_any_file(folder: Path) -> None:
    before = read_course(folder).version
    assert read_course(folder).version == before
    (folder / "01-start/files/app/main.py").write_text("print('other')")
    assert read_course(folder).version != before


def add_link_outside(folder: Path) -> None:
    (folder / "01-start/03-secret.md").symlink_to("/etc/hostname")


def link_a_picture_outside(folder: Path) -> None:
    (folder / "01-start/images/box.svg").unlink()
    (folder / "01-start/images/box.svg").symlink_to("/etc/hostname")


def write(file: str, text: str | bytes) -> Change:
    return lambda folder: (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())


def replace(file: str, old: str, new: str) -> Change:
    return lambda folder: (folder / file).write_text((folder / file).read_text().replace(old, new))


CASES: list[tuple[Change, str]] = [
    (lambda folder: (folder / "course.yaml").unlink(), "course.yaml:1: cannot be read: No such file or directory. "),
    (replace("course.yaml", "02-more", "02-mroe"), "course.yaml:1: there is no chapter '02-mroe'. Did you mean '02-more'?"),
    (replace("course.yaml", "  - 02-more\n", ""), "course.yaml:1: the chapter '02-more' is not listed. "),
    (replace("course.yaml", "  - 02-more", "  - 01-start\n  - 02-more"), "course.yaml:1: the chapter '01-start' is listed twice. "),
    (replace("02-more/chapter.yaml", "part", "prat"), "02-more/chapter.yaml:2: unknown key 'prat'. Did you mean 'part'?"),
    (lambda folder: (folder / "02-more/01-the-end.md").unlink(), "02-more/chapter.yaml:1: a chapter without lessons. "),
    (write("02-more/01-the-end.md", "# The end\n"), "02-more/01-the-end.md:1: no front matter. "),
    (write("02-more/01-the-end.md", b"---\ntitle: The \xff\n---\n"), "02-more/01-the-end.md:2: not UTF-8. "),
    (write("02-more/01-the-end.md", "x" * (1 << 20) + "x"), "02-more/01-the-end.md:1: over 1 MiB of text. "),
    (
        replace("02-more/01-the-end.md", "# The end", "# Another end"),
        "02-more/01-the-end.md:1: the heading 'Another end' is not the title 'The end'. ",
    ),
    (
        write("02-more/The End.md", "---\ntitle: x\n---\n"),
        "02-more/The End.md:1: the file's name 'The End.md' cannot be part of an address. ",
    ),
    (
        write("02-more/02-the-end.md", "---\ntitle: x\n---\n"),
        "02-more/chapter.yaml:1: '01-the-end.md' and '02-the-end.md' have the same address. ",
    ),
    (
        replace("01-start/02-type-this.md", "port: 8080", "port: 8081"),
        "01-start/02-type-this.md:24: port 8080 is not among the lab's ports. ",
    ),
    (
        replace("01-start/02-type-this.md", "```console", "```console {terminal=3}"),
        "01-start/02-type-this.md:19: terminal 3 is not opened. ",
    ),
    (
        replace("01-start/02-type-this.md", "from: files/app", "from: files/apq"),
        "01-start/02-type-this.md:2: lab.files: there is no file at 'files/apq'. ",
    ),
    (write("01-start/files/hello.txt", "x" * (2 << 20) + "x"), "01-start/02-type-this.md:2: lab.files: 'hello.txt' is over 2 MiB. "),
    (write("01-start/images/box.svg", "x" * (2 << 20) + "x"), "01-start/01-read-this.md:11: 'images/box.svg' is over 2 MiB. "),
    (
        replace("01-start/01-read-this.md", "images/box.svg", "../../secret.png"),
        "01-start/01-read-this.md:11: '../../secret.png' leads out of the course. ",
    ),
    (
        replace("01-start/01-read-this.md", "images/box.svg", "https://example.org/a.png"),
        "01-start/01-read-this.md:11: the picture 'https://example.org/a.png' is on another site. ",
    ),
    (
        replace("01-start/01-read-this.md", "02-type-this.md", "02-typ-this.md"),
        "01-start/01-read-this.md:8: there is no lesson at '02-typ-this.md'. ",
    ),
    (
        replace("01-start/01-read-this.md", "02-type-this.md", "/etc/passwd"),
        "01-start/01-read-this.md:8: '/etc/passwd' leads out of the course. ",
    ),
    (add_link_outside, "01-start/03-secret.md:1: a link that leads out of the course. "),
    (link_a_picture_outside, "01-start/01-read-this.md:11: 'images/box.svg' leads out of the course. "),
    (
        write("02-more/01-the-end.md", "---\ntitle: The end\n---\n::: check Is it?\n```sh\ntrue\n```\n:::\n"),
        "02-more/01-the-end.md:4: a check in a lesson without a machine. ",
    ),
]


@pytest.mark.parametrize(("change", "said"), CASES, ids=[case[1] for case in CASES])
def test_it_says_where_what_and_what_to_do(folder: Path, change: Change, said: str) -> None:
    change(folder)
    problems = problems_of(folder)
    # A chapter that is missing also breaks what leads to it.
    assert [problem for problem in problems if problem.startswith(said)], problems


def test_problems_of_all_files_come_together_and_in_order(folder: Path) -> None:
    replace("course.yaml", "licence", "license")(folder)
    replace("02-more/chapter.yaml", "part", "prat")(folder)
    assert len(problems_of(folder)) == 1  # the chapters are not known then
    replace("course.yaml", "license", "licence")(folder)
    replace("01-start/02-type-this.md", "```console", "```console {oops}")(folder)
    assert [problem.split(":")[0] for problem in problems_of(folder)] == ["01-start/02-type-this.md", "02-more/chapter.yaml"]
