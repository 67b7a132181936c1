"""The lab's HTTP contract (docs/architecture.md)."""

import uuid

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.preview import sharing
from engine.preview.hosts import MOST_PORT
from lessons import labs
from lessons.courses import find_lesson
from lessons.decorators import Answer, signed_in_json
from lessons.errors import BadRequest, NotFound


class StartRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    lesson: str = Field(pattern=r"^[^/]+/[^/]+/[^/]+$", max_length=300)


class SaveRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")


@signed_in_json("POST")
def start(request: HttpRequest) -> Answer:
    try:
        wanted = StartRequest.model_validate_json(request.body)
    except ValidationError as error:
        raise BadRequest('Send JSON like {"lesson": "course/chapter/lesson"}.') from error
    try:
        lesson = find_lesson(request.user, *wanted.lesson.split("/"))
    except Http404 as error:
        raise NotFound(_("There is no such lesson.")) from error
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
def extend(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    session = labs.find_lab(request.user, lab_id)
    labs.extend(session, by=request.user)
    return labs.lab_json(session), 200


@signed_in_json("POST")
def share(request: HttpRequest, lab_id: uuid.UUID, port: int) -> Answer:
    """A link to a port for somebody else."""
    if not 1 <= port <= MOST_PORT:
        raise BadRequest(_("A port is a number from 1 to %(most)s.") % {"most": MOST_PORT})
    session = labs.find_lab(request.user, lab_id)
    return sharing.link(request, labs.machine_of(session), port), 201


@signed_in_json("POST")
def unshare(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    """Take back every link to this machine's ports."""
    session = labs.find_lab(request.user, lab_id)
    sharing.take_back(labs.machine_of(session))
    return labs.lab_json(session), 200


@signed_in_json("POST")
def stop(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    session = labs.find_lab(request.user, lab_id)
    labs.stop(session, by=request.user)
    return labs.lab_json(session), 200


@signed_in_json("POST")
def save(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    try:
        wanted = SaveRequest.model_validate_json(request.body)
    except ValidationError as error:
        raise BadRequest(_("Give it a name of 1 to 100 characters.")) from error
    session = labs.find_lab(request.user, lab_id)
    labs.save(session, wanted.name, by=request.user)
    return labs.lab_json(labs.find_lab(request.user, lab_id)), 200
