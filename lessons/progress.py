"""What a learner has read and done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from lessons.markup.blocks import BLOCKS, Console, File, Script
from lessons.models import Course, Lesson, LessonProgress

# A page that shows a list of lessons does not need their text.
_TEXT = ("source", "html", "outline", "blocks")
MOST_RAN = 1000  # digests kept of one lesson: an author may change it many times


def see(user: Any, lesson: Lesson) -> LessonProgress:
    """Note that the learner opened the lesson."""
    progress, created = LessonProgress.objects.get_or_create(user=user, lesson=lesson)
    if not created:
        progress.last_seen_at = timezone.now()
        progress.save(update_fields=["last_seen_at"])
    return progress


def mark(user: Any, lesson: Lesson, *, done: bool) -> None:
    """Mark the lesson as done or not done. The first time it was done is kept."""
    progress, _ = LessonProgress.objects.get_or_create(user=user, lesson=lesson)
    if done != (progress.done_at is not None):
        progress.done_at = timezone.now() if done else None
        progress.save(update_fields=["done_at"])


def runnable(lesson: Lesson) -> list[str]:
    """A digest of each command and file that the lesson's page has a button for, in the page's order.

    By what it says, not by its place: a command that was run stays so when the lesson gets another one before it.
    """
    texts: list[str] = []
    for block in BLOCKS.validate_python(lesson.blocks):
        match block:
            case Console(run=True):
                texts += [command.text for command in block.commands]
            case Script(run=True):
                texts.append(block.text)
            case File():
                texts.append(f"{block.path}\0{block.content}")
    return [sha256(text.encode()).hexdigest()[:16] for text in texts]


def note(user: Any, lesson: Lesson, heading: str | None, ran: Sequence[int]) -> LessonProgress:
    """Keep where the learner is and which commands they ran. What the lesson does not have is left out."""
    with transaction.atomic():
        row, _ = LessonProgress.objects.select_for_update().get_or_create(user=user, lesson=lesson)
        if heading is not None and heading in {"", *(item["id"] for item in lesson.outline)}:
            row.heading = heading
        digests = runnable(lesson) if ran else []
        new = dict.fromkeys(digests[place] for place in ran if 0 <= place < len(digests))
        row.ran = list(dict.fromkeys([*row.ran, *new]))[-MOST_RAN:]
        row.last_seen_at = timezone.now()
        row.save(update_fields=["heading", "ran", "last_seen_at"])
    return row


def places_ran(row: LessonProgress) -> list[int]:
    """Which of the lesson's runnable commands were run, by their place on the page."""
    known = set(row.ran)
    return [place for place, digest in enumerate(runnable(row.lesson)) if digest in known] if known else []


def where_left(user: Any, lesson: Lesson) -> dict[str, Any] | None:
    """The heading where the learner left, and how many of the lesson's commands they ran. None before they opened it."""
    row = LessonProgress.objects.filter(user=user, lesson=lesson).select_related("lesson").first()
    if row is None:
        return None
    heading = next((item["title"] for item in row.lesson.outline if item["id"] == row.heading), "")
    return {"heading": heading, "ran": len(places_ran(row)), "commands": len(runnable(row.lesson))}


def lessons_of(course: Course) -> list[Lesson]:
    """The course's lessons in order, without their text."""
    lessons = Lesson.objects.filter(chapter__course=course, published=True)
    return list(lessons.select_related("chapter__course").defer(*_TEXT))


@dataclass(frozen=True)
class CourseProgress:
    """One learner's way through one course."""

    lessons: list[Lesson]
    rows: dict[int, LessonProgress] = field(default_factory=dict)

    def seen(self, lesson: Lesson) -> bool:
        return lesson.pk in self.rows

    def done(self, lesson: Lesson) -> bool:
        return lesson.pk in self.rows and self.rows[lesson.pk].done_at is not None

    @property
    def lessons_done(self) -> int:
        return sum(map(self.done, self.lessons))

    def next_up(self) -> Lesson | None:
        """The lesson they left unfinished; else the first undone one behind it; else the first undone one of all."""
        undone = [lesson for lesson in self.lessons if not self.done(lesson)]
        seen = [lesson for lesson in self.lessons if self.seen(lesson)]
        if not seen:
            return undone[0] if undone else None
        last = max(seen, key=lambda lesson: self.rows[lesson.pk].last_seen_at)
        start = self.lessons.index(last)
        return next((lesson for lesson in self.lessons[start:] if lesson in undone), undone[0] if undone else None)


def course_progress(user: Any, course: Course) -> CourseProgress:
    lessons = lessons_of(course)
    if not user.is_authenticated:
        return CourseProgress(lessons)
    rows = LessonProgress.objects.filter(user=user, lesson__chapter__course=course)
    return CourseProgress(lessons, {row.lesson_id: row for row in rows})


def percent(done: int, total: int) -> int:
    """Rounded down: 100 means all of them."""
    return done * 100 // total if total else 0


def course_cards(user: Any, courses: list[Course]) -> list[dict[str, Any]]:
    """Each course with how far the learner is, in two queries however many there are."""
    counted = Lesson.objects.filter(published=True).order_by().values_list("chapter__course")
    totals = dict(counted.annotate(Count("pk")))
    done = dict(counted.filter(progress__user=user, progress__done_at__isnull=False).annotate(Count("pk"))) if user.is_authenticated else {}
    return [
        {
            "course": course,
            "lessons_done": done.get(course.pk, 0),
            "lessons_total": totals.get(course.pk, 0),
            "percent": percent(done.get(course.pk, 0), totals.get(course.pk, 0)),
        }
        for course in courses
    ]


def lesson_to_continue(user: Any, courses: list[Course]) -> Lesson | None:
    """Where the learner goes on: in the course they opened last. None before the first lesson and after the last one."""
    latest = LessonProgress.objects.filter(user=user, lesson__published=True, lesson__chapter__course__in=courses).order_by("-last_seen_at")
    row = latest.select_related("lesson__chapter__course").first()
    return course_progress(user, row.lesson.chapter.course).next_up() if row else None
