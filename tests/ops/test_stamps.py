"""A second set-up skips what is done, and only that."""

from pathlib import Path

from deploy import frontend, stamps


def test_it_notices_a_change(tmp_path: Path) -> None:
    source, stamp = tmp_path / "a.ts", tmp_path / "stamp"
    source.write_text("1")
    assert not stamps.matches(stamp, stamps.digest([source]))
    stamps.write(stamp, stamps.digest([source]))
    assert stamps.matches(stamp, stamps.digest([source]))
    source.write_text("2")
    assert not stamps.matches(stamp, stamps.digest([source]))


def test_it_tells_names_and_words_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
    assert stamps.digest([tmp_path / "a"]) != stamps.digest([tmp_path / "b"])
    assert stamps.digest([], "python3.11") != stamps.digest([], "python3.13")


def test_what_is_built_is_no_source(tmp_path: Path) -> None:
    for name in ("src/main.ts", "node_modules/x/index.js", "dist/main.js", "package.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {str(path.relative_to(tmp_path)) for path in frontend.sources(tmp_path)} == {"src/main.ts", "package.json"}
