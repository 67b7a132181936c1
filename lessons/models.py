"""Courses as they were imported, what learners have read of them, and the labs they run."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from engine.models import Sandbox
from lessons.references import PICTURES

# A lab that ended this recently is still shown on its lesson's page, with the reason, instead of starting anew.
VISIT = timedelta(minutes=30)


class Course(models.Model):
    slug = models.SlugField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    summary = models.TextField(blank=True)
    audience = models.TextField(blank=True)
    language = models.CharField(max_length=35, default="en")
    authors = models.JSONField(default=list, blank=True)
    licence = models.CharField(max_length=100, blank=True)
    version = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the files it was imported from.")
    published = models.BooleanField(default=True, help_text="Learners see it.")
    imported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("title",)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("course", args=[self.slug])


class Chapter(models.Model):
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="chapters")
    slug = models.SlugField(max_length=100)
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    part = models.CharField(max_length=200, blank=True)
    summary = models.TextField(blank=True)

    class Meta:
        ordering = ("position",)
        constraints = (models.UniqueConstraint(fields=["course", "slug"], name="one_chapter_per_slug"),)

    def __str__(self) -> str:
        return self.title


class Lesson(models.Model):
    chapter = models.ForeignKey(Chapter, on_delete=models.CASCADE, related_name="lessons")
    slug = models.SlugField(max_length=100)
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    summary = models.TextField(blank=True)
    minutes = models.PositiveSmallIntegerField(default=5)
    source = models.TextField(help_text="The file, with its front matter.")
    html = models.TextField(help_text="Rendered and sanitised at import.")
    outline = models.JSONField(default=list, blank=True)
    blocks = models.JSONField(default=list, blank=True, help_text="Commands, files, checks and quizzes, as lessons.markup.blocks has them.")
    lab = models.JSONField(null=True, blank=True, help_text="Its machine, as lessons.settings_files.LabSettings has it; empty without one.")
    published = models.BooleanField(default=True, help_text="Off: it left the course, but learners have worked on it.")

    class Meta:
        ordering = ("chapter__position", "position")
        constraints = (models.UniqueConstraint(fields=["chapter", "slug"], name="one_lesson_per_slug"),)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("lesson", args=[self.chapter.course.slug, self.chapter.slug, self.slug])

    @property
    def key(self) -> str:
        """`first-contact/run-a-container`: made of names without numbers, so it stays when lessons are reordered."""
        return f"{self.chapter.slug}/{self.slug}"

    @property
    def path(self) -> str:
        """`docker/first-contact/run-a-container`: the lesson's name in the lab API."""
        return f"{self.chapter.course.slug}/{self.key}"


class CourseFile(models.Model):
    """A picture or a lab file that a lesson names."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=300, help_text="From the course's folder.")
    digest = models.CharField(max_length=64)
    executable = models.BooleanField(default=False)
    content = models.BinaryField()

    class Meta:
        ordering = ("path",)
        constraints = (models.UniqueConstraint(fields=["course", "path"], name="one_file_per_path"),)

    def __str__(self) -> str:
        return self.path

    @property
    def content_type(self) -> str | None:
        """None for what is not a picture."""
        return PICTURES.get(Path(self.path).suffix.lower())


class LessonProgress(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="lesson_progress")
    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE, related_name="progress")
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)
    heading = models.CharField(max_length=200, blank=True, help_text="Id of the heading where they left; empty: the top.")
    ran = models.JSONField(default=list, blank=True, help_text="Digests of the commands they ran, as lessons.progress.runnable has them.")

    class Meta:
        verbose_name_plural = "lesson progress"
        constraints = (models.UniqueConstraint(fields=["user", "lesson"], name="one_progress_per_lesson"),)
        indexes = (models.Index(fields=["user", "-last_seen_at"]),)

    def __str__(self) -> str:
        return f"{self.user}: {self.lesson}"


class LabSession(models.Model):
    """One learner's run of a lesson's lab: its sandboxes (one, for now), a start and an end."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="lab_sessions")
    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE, related_name="lab_sessions")
    sandboxes: "models.ManyToManyField[Sandbox, Any]" = models.ManyToManyField(Sandbox, related_name="lab_sessions", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            # A double click, or two tabs, make one lab.
            models.UniqueConstraint(fields=["user", "lesson"], condition=models.Q(ended_at=None), name="one_open_lab_per_lesson"),
        )
        indexes = (models.Index(fields=["user", "-created_at"]),)

    def __str__(self) -> str:
        return f"{self.user}: {self.lesson}"
