"""Finding courses and lessons for a page."""

from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.http import Http404

from lessons.models import Chapter, Course, Lesson
from lessons.progress import CourseProgress


def visible_courses(user: Any) -> "QuerySet[Course]":
    """Published ones; staff also see the others."""
    return Course.objects.all() if user.is_staff else Course.objects.filter(published=True)


def find_course(user: Any, slug: str) -> Course:
    """Raises Http404."""
    course = visible_courses(user).filter(slug=slug).first()
    if course is None:
        raise Http404(f"no course {slug}")
    return course


def find_lesson(user: Any, course: str, chapter: str, lesson: str) -> Lesson:
    """Raises Http404."""
    lessons = Lesson.objects.select_related("chapter__course").defer("source", "blocks")
    found = lessons.filter(chapter__course__in=visible_courses(user), chapter__course__slug=course, published=True)
    row = found.filter(chapter__slug=chapter, slug=lesson).first()
    if row is None:
        raise Http404(f"no lesson {course}/{chapter}/{lesson}")
    return row


def parts(progress: CourseProgress) -> list[dict[str, Any]]:
    """The course as its page shows it: parts, chapters, lessons."""
    chapters = [_chapter(chapter, list(lessons), progress) for chapter, lessons in groupby(progress.lessons, lambda item: item.chapter)]
    return [{"title": title, "chapters": list(entries)} for title, entries in groupby(chapters, lambda entry: entry["chapter"].part)]


def _chapter(chapter: Chapter, lessons: list[Lesson], progress: CourseProgress) -> dict[str, Any]:
    rows = [{"lesson": lesson, "done": progress.done(lesson), "seen": progress.seen(lesson)} for lesson in lessons]
    return {"chapter": chapter, "lessons": rows, "minutes": sum(lesson.minutes for lesson in lessons)}


def neighbours(lesson: Lesson, lessons: list[Lesson]) -> tuple[Lesson | None, Lesson | None]:
    """The lessons before and after this one, across chapters."""
    index = next(number for number, other in enumerate(lessons) if other.pk == lesson.pk)
    return (lessons[index - 1] if index else None), (lessons[index + 1] if index + 1 < len(lessons) else None)
