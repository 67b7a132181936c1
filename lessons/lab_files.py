"""The files of a lab, from the imported course into the tar that the engine unpacks at /."""

import io
import tarfile
from pathlib import PurePosixPath

from django.db.models import Q

from lessons.errors import BadRequest
from lessons.models import CourseFile, Lesson


def lab_tar(lesson: Lesson) -> bytes:
    """An uncompressed tar of regular files that belong to root; empty when the lab has none. Raises BadRequest."""
    entries = (lesson.lab or {}).get("files", [])
    if not entries:
        return b""
    course = lesson.chapter.course
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in entries:
            source, target = entry["from"], entry["to"]
            rows = CourseFile.objects.filter(Q(path=source) | Q(path__startswith=f"{source}/"), course=course)
            # SQLite's LIKE takes App for app.
            found = [row for row in rows if row.path == source or row.path.startswith(f"{source}/")]
            if not found:
                raise BadRequest(f"The course has no file {source!r} any more. Tell your instructor to import the course again.")
            for file in found:
                _add(tar, file, file.path.removeprefix(source).lstrip("/"), target, int(course.imported_at.timestamp()))
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, file: CourseFile, below: str, target: str, modified: int) -> None:
    path = PurePosixPath(target.lstrip("/")) / below
    if ".." in path.parts:
        raise BadRequest(f"{target!r} is not a path in the machine.")
    member = tarfile.TarInfo(str(path))
    member.size, member.mtime = len(file.content), modified
    member.mode = 0o755 if file.executable else 0o644
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    tar.addfile(member, io.BytesIO(bytes(file.content)))
