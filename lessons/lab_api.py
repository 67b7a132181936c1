"""The lab's HTTP contract (docs/architecture.md)."""

import uuid

from django.http import Http404, HttpRequest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lessons import labs
from lessons.courses import find_lesson
from lessons.decorators import Answer, signed_in_json
from lessons.errors import BadRequest, NotFound


class StartRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    lesson: str = Field(pattern=r"^[^/]+/[^/]+/[^/]+$", max_length=300)


@signed_in_json("POST")
def start(request: HttpRequest) -> Answer:
    try:
        wanted = StartRequest.model_validate_json(request.body)
    except ValidationError as error:
        raise BadRequest('Send JSON like {"lesson": "course/chapter/lesson"}.') from error
    try:
        lesson = find_lesson(request.user, *wanted.lesson.split("/"))
    except Http404 as error:
        raise NotFound("There is no such lesson.") from error
    session, created = labs.start(request.user, lesson)
    return labs.lab_json(session), 201 if created else 200


@signed_in_json("GET")
def show(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    session = labs.find_lab(request.user, lab_id)
    labs.seen(session)
    return labs.lab_json(session), 200


@signed_in_json("POST")
def keep(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    session = labs.find_lab(request.user, lab_id)
    labs.keep(session)
    return labs.lab_json(session), 200


@signed_in_json("POST")
def stop(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    session = labs.find_lab(request.user, lab_id)
    labs.stop(session, by=request.user)
    return labs.lab_json(session), 200
