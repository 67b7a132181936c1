"""A course's folder into the database: one transaction, safe to repeat, nobody's progress lost."""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from lessons.folder import ChapterFolder, CourseFolder, LessonFile
from lessons.markup.blocks import BLOCKS
from lessons.models import Chapter, Course, CourseFile, LabSession, Lesson, LessonProgress
from lessons.settings_files import LabSettings


@dataclass(frozen=True)
class Outcome:
    course: Course
    lessons: int
    removed: int
    hidden: int


@transaction.atomic
def publish(folder: CourseFolder) -> Outcome:
    """Make the database say what the folder says.

    Rows are found by slug, which has no number in it, so reordering keeps progress. A lesson that left the course is
    deleted, unless somebody has worked on it: then it is hidden, and comes back if its file does.
    """
    settings = folder.settings
    course, _ = Course.objects.update_or_create(
        slug=folder.slug,
        defaults={
            **settings.model_dump(include={"title", "summary", "audience", "language", "authors", "licence"}),
            "version": folder.version,
            "imported_at": timezone.now(),
        },
    )
    kept = [_chapter(course, position, chapter) for position, chapter in enumerate(folder.chapters, start=1)]
    kept_lessons = [pk for lessons in kept for pk in lessons]
    removed, hidden = _remove_others(course, kept_lessons)
    _files(course, folder)
    return Outcome(course, len(kept_lessons), removed, hidden)


def _chapter(course: Course, position: int, folder: ChapterFolder) -> list[int]:
    chapter, _ = Chapter.objects.update_or_create(
        course=course, slug=folder.slug, defaults={"position": position, **folder.settings.model_dump()}
    )
    return [_lesson(chapter, folder.folder, number, lesson) for number, lesson in enumerate(folder.lessons, start=1)]


def _lesson(chapter: Chapter, folder: str, position: int, file: LessonFile) -> int:
    lab = file.settings.lab
    lesson, _ = Lesson.objects.update_or_create(
        chapter=chapter,
        slug=file.slug,
        defaults={
            **file.settings.model_dump(include={"title", "summary", "minutes"}),
            "position": position,
            "source": file.source,
            "html": file.document.html,
            "outline": file.document.outline,
            "blocks": BLOCKS.dump_python(file.document.blocks, mode="json"),
            "lab": _lab_json(folder, lab) if lab else None,
            "published": True,
        },
    )
    return lesson.pk


def _lab_json(folder: str, lab: LabSettings) -> dict[str, Any]:
    """The lab's settings; its files' paths begin in the course's folder instead of the lesson's."""
    files = [{"from": f"{folder}/{entry.source}", "to": entry.target} for entry in lab.files]
    return lab.model_dump(mode="json") | {"files": files}


def _remove_others(course: Course, kept: list[int]) -> tuple[int, int]:
    worked_on = Exists(LessonProgress.objects.filter(lesson=OuterRef("pk"))) | Exists(LabSession.objects.filter(lesson=OuterRef("pk")))
    gone = Lesson.objects.filter(chapter__course=course).exclude(pk__in=kept)
    hidden = gone.filter(worked_on).update(published=False)
    _, counts = gone.exclude(worked_on).delete()
    Chapter.objects.filter(course=course, lessons=None).delete()
    return counts.get("lessons.Lesson", 0), hidden


def _files(course: Course, folder: CourseFolder) -> None:
    present = dict(CourseFile.objects.filter(course=course).values_list("path", "digest"))
    CourseFile.objects.filter(course=course, path__in=present.keys() - folder.files.keys()).delete()
    for path, stored in folder.files.items():
        digest = hashlib.sha256(stored.content).hexdigest()
        columns = {"executable": stored.executable, "digest": digest}
        # Content that is there already is not written again.
        if present.get(path) == digest:
            CourseFile.objects.filter(course=course, path=path).update(**columns)
        else:
            CourseFile.objects.update_or_create(course=course, path=path, defaults={**columns, "content": stored.content})
