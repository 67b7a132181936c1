"""The files of a running sandbox, for the web process: what is asked is checked here, and so is what a sandbox answers.

The work is done inside, by `engine.files_inside`, in the sandbox's namespaces: no link, mount or race in it leads to a file of the host.
A path is what the API has: absolute, its bytes percent-encoded (RFC 3986), since a name in Linux may be any bytes but / and NUL.
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote_from_bytes, unquote_to_bytes

from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.files_inside import EDIT_MAX, SHOWN_MAX
from engine.files_link import ask
from engine.files_words import UPLOAD_MAX, FileRefused, refusal, refused_by
from engine.models import Sandbox

PATH_MAX = 4095  # bytes
PART_MAX = 1 << 20  # bytes of an upload per request
NOTED_EVERY = timedelta(seconds=5)
LONG = 60.0  # s: for what goes through many files
INT = Annotated[int, Field(ge=0, lt=1 << 63)]
Model = TypeVar("Model", bound=BaseModel)


class _Said(BaseModel):
    """What a sandbox said. Nothing in it is to be trusted but its form."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Entry(_Said):
    """One name in a folder; of a link, kind and size are those of what it leads to."""

    name: str = Field(pattern=r"^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+$", max_length=765)
    kind: Literal["folder", "file", "other", "broken"]
    link: bool
    size: INT
    modified: Annotated[int, Field(ge=-(1 << 62), lt=1 << 62)]


class Folder(_Said):
    """`total`: how many it has; with `counted` false, at least that many."""

    entries: Annotated[list[Entry], Field(max_length=SHOWN_MAX)]
    total: INT
    counted: bool


class _Nothing(_Said):
    pass


class _Read(_Said):
    size: INT


class _Opened(_Said):
    download: INT
    kind: Literal["file", "tar"]
    size: INT


@dataclass(frozen=True)
class Text:
    """A text as it is in the machine. `tag` says which bytes it was made from."""

    text: str
    tag: str


def path_bytes(path: str) -> bytes:
    """The bytes of an API path. Raises FileRefused."""
    raw = unquote_to_bytes(path)
    names = raw.split(b"/")[1:]
    plain = raw == b"/" or all(name not in (b"", b".", b"..") and len(name) <= 255 for name in names)
    if not raw.startswith(b"/") or b"\0" in raw or len(raw) > PATH_MAX or not plain:
        raise refusal("bad-path")
    return raw


def _path(path: str) -> str:
    return quote_from_bytes(path_bytes(path), safe="/")


def _below_root(path: str) -> str:
    if path_bytes(path) == b"/":
        raise refusal("root")
    return _path(path)


def _read_answer(answer: dict[str, Any], model: type[Model]) -> Model:
    """Raises FileRefused: the refusal it is, or one for what is no answer."""
    if "error" in answer:
        raise refused_by(answer)
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise refusal("garbled") from error


def _used(sandbox: Sandbox) -> None:
    """Whoever works with its files uses it. Written every few seconds at most."""
    now = timezone.now()
    running = Sandbox.objects.filter(id=sandbox.id, state=Sandbox.State.RUNNING)
    running.filter(last_activity_at__lt=now - NOTED_EVERY).update(last_activity_at=now)


def _call(sandbox: Sandbox, model: type[Model], data: bytes = b"", seconds: float = 10.0, **request: Any) -> tuple[Model, bytes]:
    _used(sandbox)
    answer, payload = ask(sandbox, request, data, seconds).result()
    return _read_answer(answer, model), payload


def folder(sandbox: Sandbox, path: str) -> Folder:
    """What is in a folder. Raises FileRefused, as all here do."""
    return _call(sandbox, Folder, call="folder", path=_path(path))[0]


def read(sandbox: Sandbox, path: str) -> Text:
    _, data = _call(sandbox, _Read, call="read", path=_path(path))
    if len(data) > EDIT_MAX:
        raise refusal("garbled")
    if b"\0" in data:
        raise refusal("binary")
    try:
        return Text(data.decode("utf-8"), _tag(data))
    except UnicodeDecodeError:
        raise refusal("not-utf-8") from None


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(sandbox: Sandbox, path: str, expected: str, data: bytes) -> str:
    """Write a text and return its tag. `expected`: the tag it was read with, or `new` (none is there yet), or `any`."""
    if not re.fullmatch(r"new|any|[0-9a-f]{64}", expected):
        raise refusal("changed")
    if len(data) > EDIT_MAX:
        raise refusal("too-large-to-edit", len(data))
    _call(sandbox, _Nothing, data, call="write", path=_below_root(path), expected=expected)
    return _tag(data)


def make_folder(sandbox: Sandbox, path: str) -> None:
    _call(sandbox, _Nothing, call="make_folder", path=_below_root(path))


def move(sandbox: Sandbox, path: str, to: str) -> None:
    _call(sandbox, _Nothing, call="move", path=_below_root(path), to=_below_root(to))


def delete(sandbox: Sandbox, path: str) -> None:
    """A folder with all that is in it."""
    _call(sandbox, _Nothing, seconds=LONG, call="delete", path=_below_root(path))


@dataclass(frozen=True)
class Part:
    """One part of an upload. `upload` names it: hexadecimal digits of the page's choice. `offset`, `total`: bytes."""

    upload: str
    offset: int
    total: int
    replace: bool
    data: bytes


def put(sandbox: Sandbox, path: str, part: Part) -> None:
    """Take the next part; the file is in its place when the last one is. Raises FileRefused, then nothing of it stays."""
    if part.total > UPLOAD_MAX:
        raise refusal("too-large-to-upload", part.total)
    whole = part.offset + len(part.data)
    if not _upload_id(part.upload) or not 0 <= part.offset <= whole <= part.total or (not part.data and part.total):
        raise refusal("out-of-step")
    asked = {"upload": part.upload, "offset": part.offset, "total": part.total, "replace": part.replace}
    _call(sandbox, _Nothing, part.data, seconds=30.0, call="put", path=_below_root(path), **asked)


def cancel(sandbox: Sandbox, path: str, upload: str) -> None:
    if _upload_id(upload):
        _call(sandbox, _Nothing, call="cancel", path=_below_root(path), upload=upload)


def _upload_id(upload: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{16,32}", upload) is not None


class Download:
    """A file, or a folder as a tar, read part by part at the pace of whoever takes it."""

    def __init__(self, sandbox: Sandbox, path: str) -> None:
        self.sandbox = sandbox
        raw = path_bytes(path)
        opened, _ = _call(sandbox, _Opened, seconds=LONG, call="open", path=_path(path))
        self._number, self._open = opened.download, True
        # A file without a size may have content all the same: those of /proc.
        self.size = opened.size or None
        self.name = raw.rsplit(b"/")[-1].decode("utf-8", "replace") or "machine"
        if opened.kind == "tar":
            self.name, self.size = f"{self.name}.tar", None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises FileRefused when it cannot be read to its end: what was sent of it is then no whole file."""
        left = self.size
        try:
            while True:
                answer, part = await asyncio.wrap_future(ask(self.sandbox, {"call": "next", "download": self._number}))
                _read_answer(answer, _Nothing)
                if not part:
                    self._open = False
                    break
                if left is not None:
                    left -= len(part)
                    if left < 0:
                        raise refusal("garbled")
                yield part
            if left:
                raise refusal("shrank")
        finally:
            self.close()

    def close(self) -> None:
        """Also where nobody took any of it."""
        if self._open:
            self._open = False
            with contextlib.suppress(FileRefused):  # then the service has ended, and this with it
                ask(self.sandbox, {"call": "close", "download": self._number})
