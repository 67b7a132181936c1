import pytest
from django.test import Client

from lessons.models import Course, CourseFile

pytestmark = pytest.mark.django_db
PICTURE = "/courses/tiny/media/01-start/images/box.svg"


def test_it_works(course: Course, client: Client) -> None:
    response = client.get(PICTURE)
    assert response.content.startswith(b"<svg")
    assert response["Content-Type"] == "image/svg+xml"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_picture_may_run_nothing(course: Course, client: Client) -> None:
    assert client.get(PICTURE)["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def test_an_unchanged_picture_is_not_sent_again(course: Course, client: Client) -> None:
    tag = client.get(PICTURE)["ETag"]
    assert client.get(PICTURE, headers={"If-None-Match": tag}).status_code == 304
    CourseFile.objects.filter(path__endswith="box.svg").update(digest="other")
    assert client.get(PICTURE, headers={"If-None-Match": tag}).status_code == 200


def test_files_of_labs_are_not_served(course: Course, client: Client) -> None:
    assert CourseFile.objects.filter(path="01-start/files/app/main.py").exists()
    assert client.get("/courses/tiny/media/01-start/files/app/main.py").status_code == 404


@pytest.mark.parametrize("path", ["none.svg", "../../etc/passwd", "01-start/../01-start/images/box.svg", "//etc/passwd"])
def test_paths_are_names_and_nothing_else(course: Course, client: Client, path: str) -> None:
    assert client.get(f"/courses/tiny/media/{path}").status_code == 404
