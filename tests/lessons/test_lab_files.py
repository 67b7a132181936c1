import io
import tarfile

import pytest

from lessons.errors import BadRequest
from lessons.lab_files import lab_tar
from lessons.labs import sandbox_request
from lessons.models import CourseFile, Lesson

pytestmark = pytest.mark.django_db


def members(lesson: Lesson) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(lab_tar(lesson))) as tar:
        return tar.getmembers()


def test_it_works(lesson: Lesson) -> None:
    assert [(member.name, oct(member.mode), member.uid, member.gid) for member in members(lesson)] == [
        ("root/app/main.py", "0o644", 0, 0),
        ("root/app/run.sh", "0o755", 0, 0),
        ("srv/greeting.txt", "0o644", 0, 0),
    ]
    with tarfile.open(fileobj=io.BytesIO(lab_tar(lesson))) as tar:
        assert (content := tar.extractfile("srv/greeting.txt"))
        assert content.read() == b"hello\n"


def test_only_regular_files_are_in_it(lesson: Lesson) -> None:
    assert all(member.isreg() and not member.name.startswith("/") for member in members(lesson))


def test_a_folder_of_a_similar_name_is_not_meant(lesson: Lesson) -> None:
    course = lesson.chapter.course
    for path in ("01-start/files/apples.txt", "01-start/files/App/main.py", "02-more/01-start/files/app/main.py"):
        CourseFile.objects.create(course=course, path=path, digest="x", content=b"x")
    assert len(members(lesson)) == 3


def test_a_path_cannot_leave_its_place(lesson: Lesson) -> None:
    lesson.lab = {**(lesson.lab or {}), "files": [{"from": "01-start/files/app", "to": "/root/../../etc"}]}
    with pytest.raises(BadRequest):
        lab_tar(lesson)


def test_a_file_that_is_gone_is_said(lesson: Lesson) -> None:
    CourseFile.objects.filter(path="01-start/files/hello.txt").delete()
    with pytest.raises(BadRequest, match=r"files/hello\.txt"):
        lab_tar(lesson)


def test_the_request_to_the_engine_is_what_the_lesson_says(lesson: Lesson) -> None:
    request = sandbox_request(lesson)
    assert (request.image, request.memory, request.idle, request.deadline, request.terminals) == ("linux", 256 << 20, 600, 3600, 2)
    assert (request.cpus, request.profile, request.network) == (None, None, None)
    assert request.setup == "touch /root/ready"
    assert request.files == lab_tar(lesson)
    assert request.label == "tiny/start/type-this"
