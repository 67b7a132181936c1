from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from lessons.models import Chapter, Course, CourseFile, LabSession, Lesson
from lessons.progress import mark


def run(*argv: str) -> str:
    out = StringIO()
    call_command("course", *argv, stdout=out)
    return out.getvalue()


def rows() -> list[tuple[str, int, int]]:
    return [(lesson.path, lesson.pk, lesson.position) for lesson in Lesson.objects.select_related("chapter__course")]


@pytest.mark.django_db
def test_it_works(folder: Path) -> None:
    assert run("import", str(folder)).startswith("tiny: 3 lessons imported")
    course = Course.objects.get()
    assert (course.title, course.authors, course.licence, course.published) == ("A tiny course", ["Ada", "Grace"], "CC0-1.0", True)
    lesson = Lesson.objects.get(slug="type-this")
    assert lesson.lab
    assert (lesson.lab["memory"], lesson.lab["idle"], lesson.lab["deadline"]) == (256 << 20, 600, 3600)
    assert lesson.lab["files"][0] == {"from": "01-start/files/app", "to": "/root/app"}
    assert [block["kind"] for block in lesson.blocks] == ["console", "port", "check"]
    assert CourseFile.objects.count() == 4
    assert "tiny\tpublished\t3 lessons" in run("list")


@pytest.mark.django_db
def test_a_second_import_changes_nothing(folder: Path) -> None:
    run("import", str(folder))
    before = rows()
    run("import", str(folder))
    assert rows() == before


@pytest.mark.django_db
def test_progress_is_kept_when_lessons_are_renumbered_and_rewritten(folder: Path, learner: User) -> None:
    run("import", str(folder))
    mark(learner, Lesson.objects.get(slug="type-this"), done=True)
    (folder / "01-start/02-type-this.md").rename(folder / "01-start/00-type-this.md")
    (folder / "01-start/01-read-this.md").unlink()
    (folder / "01-start").rename(folder / "07-start")
    (folder / "course.yaml").write_text("title: Another title\nchapters: [02-more, 07-start]\n")
    run("import", str(folder))
    assert [path for path, _, _ in rows()] == ["tiny/more/the-end", "tiny/start/type-this"]
    progress = learner.lesson_progress.get()
    assert progress.lesson.slug == "type-this"
    assert progress.done_at
    assert Course.objects.get().title == "Another title"


@pytest.mark.django_db
def test_a_lesson_that_went_away_is_deleted_unless_somebody_worked_on_it(folder: Path, learner: User) -> None:
    run("import", str(folder))
    mark(learner, Lesson.objects.get(slug="the-end"), done=True)
    LabSession.objects.create(user=learner, lesson=Lesson.objects.get(slug="type-this"))
    (folder / "course.yaml").write_text("title: x\nchapters: [03-new]\n")
    for name in ("01-start", "02-more"):
        (folder / name).rename(folder.parent / name)
    (folder / "03-new").mkdir()
    (folder / "03-new/chapter.yaml").write_text("title: New\n")
    (folder / "03-new/01-new.md").write_text("---\ntitle: New\n---\n")
    assert "1 lessons imported, 1 removed, 2 hidden" in run("import", str(folder))
    assert dict(Lesson.objects.values_list("slug", "published")) == {"type-this": False, "the-end": False, "new": True}
    assert CourseFile.objects.count() == 0


@pytest.mark.django_db
def test_a_hidden_lesson_comes_back_with_its_file(folder: Path, learner: User) -> None:
    run("import", str(folder))
    mark(learner, Lesson.objects.get(slug="the-end"), done=True)
    text = (folder / "02-more/01-the-end.md").read_text()
    (folder / "02-more/01-the-end.md").rename(folder / "02-more/01-other.md")
    (folder / "02-more/01-other.md").write_text(text.replace("The end", "Other"))
    (folder / "01-start/01-read-this.md").write_text("---\ntitle: Read this\n---\n")
    run("import", str(folder))
    assert not Lesson.objects.get(slug="the-end").published
    (folder / "02-more/02-the-end.md").write_text(text)
    run("import", str(folder))
    assert Lesson.objects.get(slug="the-end").published
    assert Chapter.objects.count() == 2


@pytest.mark.django_db
def test_a_course_with_a_problem_is_not_imported_at_all(folder: Path) -> None:
    (folder / "02-more/01-the-end.md").write_text("---\ntitle: x\nmintes: 3\n---\n")
    out = StringIO()
    with pytest.raises(CommandError, match="1 problem") as caught:
        call_command("course", "import", str(folder), stdout=out)
    assert caught.value.returncode == 1
    assert out.getvalue() == f"{folder}/02-more/01-the-end.md:3: unknown key 'mintes'. Did you mean 'minutes'?\n"
    assert not Course.objects.exists()


@pytest.mark.django_db
def test_check_imports_nothing(folder: Path) -> None:
    assert run("check", str(folder)) == "tiny: 2 chapters, 3 lessons, no problems.\n"
    assert not Course.objects.exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no such folder"):
        run("check", str(tmp_path / "none"))


@pytest.mark.django_db
def test_a_course_an_admin_has_hidden_stays_hidden(folder: Path) -> None:
    run("import", str(folder))
    Course.objects.update(published=False)
    run("import", str(folder))
    assert not Course.objects.get().published
