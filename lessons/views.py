"""The pages. Lessons are open to everybody; progress and machines belong to those who signed in."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.http import condition, require_GET, require_POST

from lessons import courses, labs, progress, saved
from lessons.markup.direction import directed
from lessons.models import CourseFile, LessonProgress


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    visible = list(courses.visible_courses(request.user))
    context: dict[str, Any] = {"courses": progress.course_cards(request.user, visible)}
    if request.user.is_authenticated:
        lesson = progress.lesson_to_continue(request.user, visible)
        machines = {session.lesson_id: labs.lab_json(session) for session in labs.open_labs(request.user)}
        context |= {
            "continue_lesson": lesson,
            "continue_lab": machines.get(lesson.pk) if lesson else None,
            "left_at": progress.where_left(request.user, lesson) if lesson else None,
            "machines": list(machines.values()),
            "saved": (kept := saved.rows(request.user)),
            "saved_room": saved.room(request.user) if kept else None,
        }
        if request.GET.get("part") == "saved":
            return render(request, "lessons/_saved.html", context)
    return render(request, "lessons/home.html", context)


@require_GET
def course_list(request: HttpRequest) -> HttpResponse:
    cards = progress.course_cards(request.user, list(courses.visible_courses(request.user)))
    return render(request, "lessons/course_list.html", {"courses": cards})


@require_GET
def course(request: HttpRequest, course: str) -> HttpResponse:
    found = courses.find_course(request.user, course)
    way = progress.course_progress(request.user, found)
    context = {
        "course": found,
        "parts": courses.parts(way),
        "lessons_done": way.lessons_done,
        "lessons_total": len(way.lessons),
        "percent": progress.percent(way.lessons_done, len(way.lessons)),
        "continue_lesson": way.next_up(),
    }
    return render(request, "lessons/course.html", context)


@require_GET
def lesson(request: HttpRequest, course: str, chapter: str, lesson: str) -> HttpResponse:
    found = courses.find_lesson(request.user, course, chapter, lesson)
    lessons = progress.lessons_of(found.chapter.course)
    previous, following = courses.neighbours(found, lessons)
    seen: LessonProgress | None = None
    session = None
    if request.user.is_authenticated:
        seen = progress.see(request.user, found)
        session = labs.lab_to_show(request.user, found) if found.lab else None
    context = {
        "course": found.chapter.course,
        "chapter": found.chapter,
        "lesson": found,
        "html": mark_safe(directed(found.html)),  # noqa: S308  # went through lessons.markup.sanitise at import
        "outline": found.outline,
        "previous": previous,
        "next": following,
        "lab_config": labs.lab_config(found),
        "lab": labs.lab_json(session) if session else None,
        "saved": saved.rows(request.user, found) if found.lab and request.user.is_authenticated else [],
        "done": bool(seen and seen.done_at),
        "progress": seen,
        "place": {"heading": seen.heading, "ran": progress.places_ran(seen)} if seen else None,
    }
    return render(request, "lessons/lesson.html", context)


@login_required
@require_POST
def lesson_done(request: HttpRequest, course: str, chapter: str, lesson: str) -> HttpResponse:
    """`done=0` in the form takes it back. A page's script gets 204, a plain form the lesson again."""
    found = courses.find_lesson(request.user, course, chapter, lesson)
    progress.mark(request.user, found, done=request.POST.get("done") != "0")
    if "application/json" in request.headers.get("Accept", ""):
        return HttpResponse(status=204)
    return redirect(found)


def _media_digest(request: HttpRequest, course: str, path: str) -> str | None:
    stored = CourseFile.objects.filter(course__slug=course, path=path).values_list("digest", flat=True).first()
    return f'"{stored}"' if stored else None


@require_GET
@condition(etag_func=_media_digest)
def course_media(request: HttpRequest, course: str, path: str) -> HttpResponse:
    """A picture of the course. Other files are for the labs, and are not served."""
    found = courses.find_course(request.user, course)
    file = get_object_or_404(CourseFile, course=found, path=path)
    if file.content_type is None:
        raise Http404(f"{path} is not a picture")
    response = HttpResponse(bytes(file.content), content_type=file.content_type)
    # An SVG opened by its own address is a document: it may style itself and nothing else.
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    response["Cache-Control"] = "max-age=300"
    return response
