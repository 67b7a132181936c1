"""Courses, lessons and lab sessions in the admin. Content comes from files, so it is shown here and not edited."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from lessons.models import Course, LabSession, Lesson


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Looking is allowed, writing is not."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Course)
class CourseAdmin(ModelAdmin):  # type: ignore[misc]
    """Only whether learners see it can be changed; the rest is `manage.py course import`."""

    list_display = ("title", "slug", "language", "published", "imported_at")
    list_filter = ("published", "language")
    search_fields = ("title", "slug")
    readonly_fields = ("slug", "title", "summary", "audience", "language", "authors", "licence", "version", "imported_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Lesson)
class LessonAdmin(ReadOnlyAdmin):
    list_display = ("title", "chapter", "course", "position", "minutes", "image", "published")
    list_filter = ("published", "chapter__course")
    list_select_related = ("chapter__course",)
    search_fields = ("title", "slug", "chapter__title")
    fields = ("title", "chapter", "slug", "position", "summary", "minutes", "lab", "published", "source")

    @admin.display(ordering="chapter__course__title")
    def course(self, lesson: Lesson) -> str:
        return lesson.chapter.course.title

    @admin.display(description="machine")
    def image(self, lesson: Lesson) -> str:
        return str(lesson.lab["image"]) if lesson.lab else "-"


@admin.register(LabSession)
class LabSessionAdmin(ReadOnlyAdmin):
    list_display = ("user", "lesson", "created_at", "ended_at", "machines")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "lesson__chapter__course")
    list_select_related = ("user", "lesson")
    search_fields = ("user__username", "lesson__title")
    date_hierarchy = "created_at"
    fields = ("id", "user", "lesson", "created_at", "ended_at", "machines")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("sandboxes")

    @admin.display(description="machines")
    def machines(self, session: LabSession) -> SafeString:
        links = ((reverse("admin:engine_sandbox_change", args=[item.pk]), f"{item} ({item.state})") for item in session.sandboxes.all())
        return format_html_join(", ", '<a href="{}">{}</a>', links) or format_html("-")
