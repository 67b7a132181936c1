"""The HTTP contract of a machine's files (docs/files.md): JSON, its owner's only. What is in a file is never a page of this site."""

import re
import uuid
from typing import TypeVar

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path
from django.utils.http import content_disposition_header
from pydantic import BaseModel, ConfigDict, ValidationError

from engine import files
from engine.files_inside import EDIT_MAX
from engine.files_words import refusal
from engine.models import Sandbox
from lessons import labs
from lessons.decorators import Answer, signed_in_json
from lessons.errors import BadRequest

Body = TypeVar("Body", bound=BaseModel)


class Place(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    path: str


class Move(Place):
    to: str


class Cancel(Place):
    upload: str


def _machine(request: HttpRequest, lab_id: uuid.UUID) -> Sandbox:
    """The lab's machine, which runs and is this user's. Raises Refused."""
    sandbox = labs.machine_of(labs.find_lab(request.user, lab_id))
    if sandbox.state != Sandbox.State.RUNNING or not sandbox.may_be_used_by(request.user):
        raise refusal("not-running")
    return sandbox


def _json(request: HttpRequest, model: type[Body]) -> Body:
    try:
        return model.model_validate_json(request.body)
    except ValidationError as error:
        raise BadRequest(f"Send JSON with {', '.join(model.model_fields)}.") from error


def _bytes(request: HttpRequest, most: int, too_large: str) -> bytes:
    """The body, in memory only as far as it may be. Raises Refused."""
    data = request.read(most + 1)
    if len(data) > most:
        raise refusal(too_large, max(len(data), int(request.headers.get("Content-Length") or 0)))
    return data


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise BadRequest(f"{name} is a number of bytes.")
    return int(text)


@signed_in_json("GET")
def folder(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    return files.folder(_machine(request, lab_id), request.GET.get("path", "")).model_dump(), 200


@signed_in_json("GET")
def text(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    read = files.read(_machine(request, lab_id), request.GET.get("path", ""))
    return {"text": read.text, "tag": read.tag}, 200


@signed_in_json("POST")
def save(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    machine, where = _machine(request, lab_id), request.GET.get("path", "")
    data = _bytes(request, EDIT_MAX, "too-large-to-edit")
    return {"tag": files.write(machine, where, request.GET.get("expected", ""), data)}, 200


@signed_in_json("POST")
def make_folder(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    files.make_folder(_machine(request, lab_id), _json(request, Place).path)
    return {}, 201


@signed_in_json("POST")
def move(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    machine, wanted = _machine(request, lab_id), _json(request, Move)
    files.move(machine, wanted.path, wanted.to)
    return {}, 200


@signed_in_json("POST")
def delete(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    files.delete(_machine(request, lab_id), _json(request, Place).path)
    return {}, 200


@signed_in_json("POST")
def upload(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    """One part of a file, in the order of their offsets. The last one puts it in its place."""
    machine, where = _machine(request, lab_id), request.GET.get("path", "")
    part = files.Part(
        upload=request.GET.get("upload", ""),
        offset=_number(request, "offset"),
        total=_number(request, "total"),
        replace=request.GET.get("replace") == "1",
        data=_bytes(request, files.PART_MAX, "out-of-step"),
    )
    files.put(machine, where, part)
    return {}, 200


@signed_in_json("POST")
def cancel(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    machine, wanted = _machine(request, lab_id), _json(request, Cancel)
    files.cancel(machine, wanted.path, wanted.upload)
    return {}, 200


@signed_in_json("GET")
def measure(request: HttpRequest, lab_id: uuid.UUID) -> Answer:
    """What a download would be, so that a refusal is words on the page and not a failed download."""
    download = files.Download(_machine(request, lab_id), request.GET.get("path", ""))
    download.close()
    return {"name": download.name, "size": download.size}, 200


@signed_in_json("GET")
def download(request: HttpRequest, lab_id: uuid.UUID) -> StreamingHttpResponse:
    wanted = files.Download(_machine(request, lab_id), request.GET.get("path", ""))
    response = StreamingHttpResponse(wanted, content_type="application/octet-stream")
    name = re.sub(r"[\x00-\x1f\x7f]", "_", wanted.name)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or "attachment"
    if wanted.size is not None:
        response["Content-Length"] = str(wanted.size)
    response["X-Accel-Buffering"] = "no"  # nginx would take it all into a file of its own, at no pace but ours
    # Whatever a browser makes of it, it is no page of this site.
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


urls = [
    path("", folder, name="files"),
    path("text", text, name="files_text"),
    path("save", save, name="files_save"),
    path("folder", make_folder, name="files_folder"),
    path("move", move, name="files_move"),
    path("delete", delete, name="files_delete"),
    path("upload", upload, name="files_upload"),
    path("cancel", cancel, name="files_cancel"),
    path("measure", measure, name="files_measure"),
    path("download", download, name="files_download"),
]
