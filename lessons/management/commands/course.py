"""`manage.py course`: import, check and list courses."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lessons.folder import CourseFolder, InvalidCourse, read_course
from lessons.models import Course
from lessons.progress import lessons_of
from lessons.publishing import publish


class Command(BaseCommand):
    help = "Import a course from its folder, check one without importing it, or list what is there."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, what in (("import", "Import or update the course in a folder."), ("check", "Say what is wrong with a course.")):
            action = actions.add_parser(name, help=what)
            action.add_argument("path", type=Path, help="The course's folder, with course.yaml in it.")
        actions.add_parser("list", help="List the imported courses.")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["action"]:
            case "import":
                outcome = publish(self._read(options["path"]))
                gone = f", {outcome.removed} removed" if outcome.removed else ""
                hidden = f", {outcome.hidden} hidden because learners have worked on them" if outcome.hidden else ""
                self.stdout.write(f"{outcome.course.slug}: {outcome.lessons} lessons imported{gone}{hidden}.")
            case "check":
                folder = self._read(options["path"])
                lessons = sum(len(chapter.lessons) for chapter in folder.chapters)
                self.stdout.write(f"{folder.slug}: {len(folder.chapters)} chapters, {lessons} lessons, no problems.")
            case "list":
                for course in Course.objects.all():
                    state = "published" if course.published else "hidden"
                    self.stdout.write(f"{course.slug}\t{state}\t{len(lessons_of(course))} lessons\t{course.title}")

    def _read(self, path: Path) -> CourseFolder:
        """Raises CommandError with one `file:line: problem. remedy` per problem."""
        if not path.is_dir():
            raise CommandError(f"{path}: there is no such folder. Give the course's folder, for example courses/docker.")
        try:
            return read_course(path)
        except InvalidCourse as error:
            for problem in error.problems:
                self.stdout.write(f"{path.as_posix().rstrip('/')}/{problem}")
            count = len(error.problems)
            raise CommandError(f"{count} problem{'s' if count != 1 else ''}. Nothing was imported.") from error
