"""Pictures, lab files and links between lessons, as they are found in a course's folder."""

import contextlib
import posixpath
import struct
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

from django.urls import reverse

from lessons.markup.surroundings import Picture, ReferenceProblem
from lessons.names import slug_of

FILE_MAX = 2 << 20  # bytes
# What a picture may be, and the content type it is served with.
PICTURES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
}


@dataclass(frozen=True)
class StoredFile:
    content: bytes
    executable: bool = False


@dataclass(frozen=True)
class FolderSurroundings:
    """What lies around one lesson. `files` collects the pictures that are used."""

    root: Path
    course: str
    chapter: str
    pages: dict[str, list[str]]
    files: dict[str, StoredFile]

    def _inside(self, target: str) -> str:
        """The path from the course's folder. Raises ReferenceProblem where it leads out of it."""
        path = posixpath.normpath(posixpath.join(self.chapter, unquote(urlsplit(target).path)))
        if path.startswith(("..", "/")) or not (self.root / path).resolve().is_relative_to(self.root):
            raise ReferenceProblem(f"{target!r} leads out of the course", "Refer to files of this course, or to a full https:// address.")
        return path

    def picture(self, source: str) -> Picture:
        if urlsplit(source).scheme or source.startswith("//"):
            raise ReferenceProblem(f"the picture {source!r} is on another site", "Put it into the course's folder.")
        path = self._inside(source)
        if Path(path).suffix.lower() not in PICTURES:
            raise ReferenceProblem(f"{source!r} is not a picture", f"Use one of: {', '.join(sorted(PICTURES))}.")
        self.files[path] = _read(self.root / path, source)
        width, height = picture_size(self.files[path].content)
        return Picture(reverse("course_media", args=[self.course, path]), width, height)

    def page(self, target: str) -> str:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc or not parts.path:
            raise ReferenceProblem(f"the link {target!r} leads nowhere", "Use https://, mailto:, #section or the path of a lesson.")
        chapter, _, name = self._inside(target).rpartition("/")
        if name not in self.pages.get(chapter, []):
            raise ReferenceProblem(f"there is no lesson at {target!r}", "Link to the lesson's file, as in ../02-basics/01-start.md.")
        address = reverse("lesson", args=[self.course, slug_of(chapter), slug_of(Path(name).stem)])
        return f"{address}#s-{parts.fragment}" if parts.fragment else address

    def lab_files(self, source: str) -> dict[str, StoredFile]:
        """The regular files at and under `source`, by path from the course's folder. Links are left out."""
        start = self.root / self._inside(source)
        found = [start] if start.is_file() else sorted(start.rglob("*"))
        files = [path for path in found if path.is_file() and not path.is_symlink()]
        if not files:
            raise ReferenceProblem(f"there is no file at {source!r}", "Name a file or folder beside the lesson.")
        return {path.relative_to(self.root).as_posix(): _read(path, path.name) for path in files}


def _read(path: Path, name: str) -> StoredFile:
    try:
        status = path.stat()
        if status.st_size > FILE_MAX:
            raise ReferenceProblem(f"{name!r} is over 2 MiB", "Make it smaller, or put it into an image.")
        return StoredFile(path.read_bytes(), executable=bool(status.st_mode & 0o100))
    except OSError as error:
        raise ReferenceProblem(f"{name!r} cannot be read: {error.strerror}", "Add it, or correct its name.") from error


def picture_size(content: bytes) -> tuple[int | None, int | None]:
    """Width and height of a PNG or an SVG, in CSS pixels; None where they are not to be had cheaply."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    return _svg_size(content)


class _Found(Exception):
    pass


def _svg_size(content: bytes) -> tuple[int | None, int | None]:
    """From the root element's viewBox. A picture that declares entities is not read further: they could expand without end."""
    attributes: dict[str, str] = {}

    def root(_name: str, given: dict[str, str]) -> None:
        attributes.update(given)
        raise _Found

    def entity(*_declaration: object) -> None:
        raise _Found

    parser = expat.ParserCreate()
    parser.StartElementHandler = root
    parser.EntityDeclHandler = entity
    # What is no XML has no size either.
    with contextlib.suppress(_Found, expat.ExpatError):
        parser.Parse(content, True)
    try:
        _, _, width, height = (round(float(part)) for part in attributes.get("viewBox", "").replace(",", " ").split())
    except (ValueError, OverflowError):
        return None, None
    return width, height
