"""What the lesson page reports while it is read: where the learner is in it, and which of its commands they have run."""

from django.http import HttpRequest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lessons import progress
from lessons.courses import find_lesson
from lessons.decorators import Answer, signed_in_json
from lessons.errors import BadRequest


class Report(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    heading: str | None = Field(default=None, max_length=200)
    ran: list[int] = Field(default=[], max_length=200)


@signed_in_json("POST")
def report(request: HttpRequest, course: str, chapter: str, lesson: str) -> Answer:
    """`heading`: the id of the one being read, empty at the top. `ran`: places of commands among the lesson's runnable ones, from 0."""
    try:
        found = Report.model_validate_json(request.body)
    except ValidationError as error:
        raise BadRequest('Send JSON like {"heading": "section-start", "ran": [0]}.') from error
    row = progress.note(request.user, find_lesson(request.user, course, chapter, lesson), found.heading, found.ran)
    return {"heading": row.heading, "ran": progress.places_ran(row)}, 200
