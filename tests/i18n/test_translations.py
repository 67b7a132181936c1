"""The interface can be translated, and is, whole, into German."""

import gettext
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from engine.describe import duration
from lessons import languages
from tests.i18n.catalogue import Entry, entries
from tests.i18n.unmarked import unmarked

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(path for app in ("lessons", "engine") for path in (ROOT / app / "templates").rglob("*.html"))
CATALOGUES = sorted((ROOT / "locale").glob("*/LC_MESSAGES/*.po"))
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}|</?\w+>")
SPOKEN = ("lessons", "engine", "playground", "locale", "manage.py")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_templates_words_are_marked(path: Path) -> None:
    assert unmarked(path) == []


def wrong(entry: Entry) -> bool:
    wanted = [entry.msgid, entry.plural] if entry.plural else [entry.msgid]
    if entry.fuzzy or not all(entry.translations) or len(entry.translations) != len(wanted):
        return True
    return any(sorted(PLACEHOLDER.findall(a)) != sorted(PLACEHOLDER.findall(b)) for a, b in zip(wanted, entry.translations, strict=True))


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_catalogue_is_whole_and_keeps_the_placeholders(path: Path) -> None:
    assert [entry.msgid for entry in entries(path) if wrong(entry)] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_what_is_compiled_is_what_stands_in_the_text(path: Path) -> None:
    with path.with_suffix(".mo").open("rb") as compiled:
        catalogue = gettext.GNUTranslations(compiled)
    for entry in entries(path):
        shown = (
            [catalogue.ngettext(entry.msgid, entry.plural, count) for count in (1, 2)] if entry.plural else [catalogue.gettext(entry.msgid)]
        )
        assert shown == entry.translations


def test_the_catalogues_have_every_word_of_the_code(tmp_path: Path) -> None:
    for name in SPOKEN:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "frontend" / "src", tmp_path / "frontend" / "src")
    for domain, options in (("django", ["--ignore=frontend/*"]), ("djangojs", ["--domain=djangojs", "--extension=ts"])):
        command = [sys.executable, "manage.py", "makemessages", "--all", "--no-location", *options]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        for path in sorted((ROOT / "locale").glob(f"*/LC_MESSAGES/{domain}.po")):
            now = {entry.msgid for entry in entries(tmp_path / path.relative_to(ROOT))}
            assert now == {entry.msgid for entry in entries(path)}, f"{path}: docs/translating.md says how to bring it up to date"


def test_the_browsers_language_is_taken(client: Client, db: None) -> None:
    page = client.get("/courses/", headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}).content.decode()
    assert '<html lang="de">' in page
    assert "<h1>Kurse</h1>" in page
    assert '<html lang="en">' in client.get("/courses/", headers={"Accept-Language": "fr"}).content.decode()


def test_a_choice_is_kept(client: Client, db: None) -> None:
    answer = client.post("/language/", {"language": "de", "next": "/courses/"})
    assert answer["Location"] == "/courses/"
    assert "<h1>Kurse</h1>" in client.get("/courses/", headers={"Accept-Language": "en"}).content.decode()
    client.post("/language/", {"language": "en", "next": "https://evil.example.org/"})
    assert "<h1>Courses</h1>" in client.get("/courses/").content.decode()


def test_the_scripts_have_their_words_and_english_pages_carry_none(client: Client, db: None) -> None:
    assert languages.script_words("de")["Stop it"] == "Stoppen"
    assert 'id="script-words"' in client.get("/courses/", headers={"Accept-Language": "de"}).content.decode()
    assert 'id="script-words"' not in client.get("/courses/").content.decode()


def test_a_refusal_is_in_the_persons_language(db: None) -> None:
    client = Client(headers={"Accept-Language": "de"})
    client.force_login(User.objects.create_user("ada"))
    error = client.post("/labs/", {"lesson": "no/such/lesson"}, content_type="application/json").json()["error"]
    assert (error["title"], error["text"]) == ("Hier ist nichts", "Eine solche Lektion gibt es nicht.")


def test_a_websocket_speaks_as_its_page_does() -> None:
    headers = [(b"accept-language", b"de")]
    assert languages.of_websocket({"headers": headers}) == "de"
    assert languages.of_websocket({"headers": headers, "cookies": {"django_language": "en"}}) == "en"
    with translation.override("de"):
        assert (duration(900), duration(1)) == ("15 Minuten", "1 Sekunde")
