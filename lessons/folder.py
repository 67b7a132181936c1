"""A course as a folder of files: read, checked, not yet in the database."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from lessons.markup.document import Document, read_document
from lessons.markup.problems import Problem, nearest
from lessons.markup.surroundings import ReferenceProblem
from lessons.names import slug_of
from lessons.references import FolderSurroundings, StoredFile
from lessons.settings_files import ChapterSettings, CourseSettings, LessonSettings
from lessons.yaml_files import InvalidYaml, Model, load

TEXT_MAX = 1 << 20  # bytes
LAB_FILES_MAX = 4 << 20  # bytes of one lesson; the engine takes 8 MiB as a tar


class InvalidCourse(Exception):
    """The course has problems; none of it may be imported."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class LessonFile:
    slug: str
    settings: LessonSettings
    source: str
    document: Document


@dataclass(frozen=True)
class ChapterFolder:
    slug: str
    folder: str
    settings: ChapterSettings
    lessons: list[LessonFile]


@dataclass
class CourseFolder:
    """`files` are the pictures and lab files that lessons name: path in the course's folder -> content."""

    slug: str
    settings: CourseSettings
    chapters: list[ChapterFolder] = field(default_factory=list)
    files: dict[str, StoredFile] = field(default_factory=dict)
    version: str = ""


def read_course(path: Path) -> CourseFolder:
    """Read and check the course in `path`. Raises InvalidCourse with everything that is wrong."""
    return _Reader(path.resolve()).read()


class _Reader:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.digest = hashlib.sha256()

    def read(self) -> CourseFolder:
        slug = slug_of(self.root.name)
        settings = self._settings(CourseSettings, self.root / "course.yaml")
        if slug is None:
            self._name_problem("course.yaml", f"the folder's name {self.root.name!r}")
        if settings is None or slug is None:
            raise InvalidCourse(self.problems)
        course = CourseFolder(slug, settings)
        pages = self._pages(settings)
        for name, lessons in pages.items():
            chapter = self._chapter(name, lessons, course, pages)
            if chapter:
                course.chapters.append(chapter)
        self._refuse_twins("course.yaml", [(chapter.folder, chapter.slug) for chapter in course.chapters])
        for file in sorted(course.files):
            self.digest.update(file.encode() + b"\0" + course.files[file].content + b"\0")
        if self.problems:
            raise InvalidCourse(sorted(self.problems))
        course.version = self.digest.hexdigest()
        return course

    def _problem(self, file: str, line: int, text: str, remedy: str) -> None:
        self.problems.append(Problem(file, line, text, remedy))

    def _name_problem(self, file: str, what: str) -> None:
        self._problem(file, 1, f"{what} cannot be part of an address", "Use a-z, 0-9 and - after a number, as in 04-first-contact.")

    def _pages(self, settings: CourseSettings) -> dict[str, list[str]]:
        """Chapter folder -> its lessons' file names, in order."""
        present = sorted(path.parent.name for path in self.root.glob("*/chapter.yaml"))
        pages: dict[str, list[str]] = {}
        for name in settings.chapters:
            if name in pages:
                self._problem("course.yaml", 1, f"the chapter {name!r} is listed twice", "Remove one.")
            elif name not in present:
                self._problem("course.yaml", 1, f"there is no chapter {name!r}", nearest(name, present) if present else "Add the folder.")
            else:
                pages[name] = sorted(path.name for path in (self.root / name).glob("*.md") if path.name.lower() != "readme.md")
        for name in present:
            if name not in settings.chapters:
                self._problem("course.yaml", 1, f"the chapter {name!r} is not listed", "Add it to chapters, or remove the folder.")
        return pages

    def _chapter(self, name: str, lessons: list[str], course: CourseFolder, pages: dict[str, list[str]]) -> ChapterFolder | None:
        settings = self._settings(ChapterSettings, self.root / name / "chapter.yaml")
        slug = slug_of(name)
        if slug is None:
            self._name_problem(f"{name}/chapter.yaml", f"the folder's name {name!r}")
        if not lessons:
            self._problem(f"{name}/chapter.yaml", 1, "a chapter without lessons", "Add a Markdown file beside it.")
        read = [self._lesson(name, lesson, course, pages) for lesson in lessons]
        found = [lesson for lesson in read if lesson]
        self._refuse_twins(f"{name}/chapter.yaml", list(zip(lessons, (slug_of(Path(lesson).stem) for lesson in lessons), strict=True)))
        return ChapterFolder(slug, name, settings, found) if settings and slug else None

    def _lesson(self, chapter: str, name: str, course: CourseFolder, pages: dict[str, list[str]]) -> LessonFile | None:
        file = f"{chapter}/{name}"
        slug = slug_of(Path(name).stem)
        if slug is None:
            self._name_problem(file, f"the file's name {name!r}")
        text = self._text(self.root / file)
        if text is None or slug is None:
            return None
        surroundings = FolderSurroundings(self.root, course.slug, chapter, pages, course.files)
        document = read_document(text, file, surroundings)
        self.problems += document.problems
        if document.front_matter is None:
            self._problem(file, 1, "no front matter", "Begin the file with a line ---, then title: ..., then another line ---.")
            return None
        try:
            settings = load(LessonSettings, document.front_matter, file, first_line=2)
        except InvalidYaml as error:
            self.problems += error.problems
            return None
        if document.heading and document.heading != settings.title:
            self._problem(file, 1, f"the heading {document.heading!r} is not the title {settings.title!r}", "Make them the same.")
        self._check_lab(file, settings, document)
        if settings.lab:
            self._lab_files(file, settings, surroundings)
        return LessonFile(slug, settings, text, document)

    def _check_lab(self, file: str, settings: LessonSettings, document: Document) -> None:
        """What the text asks of the machine, the front matter must give."""
        ports = {entry.port for entry in settings.lab.ports} if settings.lab else set()
        terminals = settings.lab.terminals if settings.lab else 0
        for block in document.blocks:
            if block.kind == "port" and block.port not in ports:
                self._problem(file, block.line, f"port {block.port} is not among the lab's ports", "Add it to lab.ports.")
            elif block.kind == "check" and not settings.lab:
                self._problem(file, block.line, "a check in a lesson without a machine", "Add lab to the front matter.")
            elif block.kind in ("console", "sh", "file", "keys") and settings.lab and getattr(block, "terminal", 1) > terminals:
                self._problem(file, block.line, f"terminal {getattr(block, 'terminal', 1)} is not opened", "Raise lab.terminals.")

    def _lab_files(self, file: str, settings: LessonSettings, surroundings: FolderSurroundings) -> None:
        total = 0
        for entry in settings.lab.files if settings.lab else []:
            try:
                found = surroundings.lab_files(entry.source)
            except ReferenceProblem as error:
                self._problem(file, 2, f"lab.files: {error.text}", error.remedy)
                continue
            total += sum(len(stored.content) for stored in found.values())
            surroundings.files.update(found)
        if total > LAB_FILES_MAX:
            self._problem(file, 2, "the lab's files are over 4 MiB together", "Put large files into an image.")

    def _settings(self, model: type[Model], path: Path) -> Model | None:
        text = self._text(path)
        if text is None:
            return None
        try:
            return load(model, text, path.relative_to(self.root).as_posix())
        except InvalidYaml as error:
            self.problems += error.problems
            return None

    def _text(self, path: Path) -> str | None:
        file = path.relative_to(self.root).as_posix()
        try:
            # A link could lead out of the course, to a file that is nobody's to publish.
            if not path.resolve(strict=True).is_relative_to(self.root):
                self._problem(file, 1, "a link that leads out of the course", "Put the file itself here.")
                return None
            content = path.read_bytes()
            self.digest.update(file.encode() + b"\0" + content + b"\0")
            if len(content) > TEXT_MAX:
                self._problem(file, 1, "over 1 MiB of text", "Split it into several lessons.")
                return None
            return content.decode()
        except UnicodeDecodeError as error:
            self._problem(file, error.object[: error.start].count(b"\n") + 1, "not UTF-8", "Save the file as UTF-8.")
        except OSError as error:
            self._problem(file, 1, f"cannot be read: {error.strerror}", "Add the file, or check its permissions.")
        return None

    def _refuse_twins(self, file: str, names: list[tuple[str, str | None]]) -> None:
        seen: dict[str | None, str] = {}
        for name, slug in names:
            if slug in seen:
                self._problem(file, 1, f"{seen[slug]!r} and {name!r} have the same address", "Names may not differ by the number only.")
            seen[slug] = name
