"""A page shows before its scripts have come, and a lesson needs little of them."""

import json
import re
from pathlib import Path
from typing import Any

DIST = Path(__file__).resolve().parent.parent / "frontend" / "dist"
TEMPLATES = [path for app in ("lessons", "engine") for path in (Path(__file__).resolve().parent.parent / app / "templates").rglob("*.html")]
MOST = 200_000  # bytes of script before the terminal's


def static_imports(manifest: dict[str, Any], entry: str) -> set[str]:
    """The entry's file and those it needs before it runs; what is imported later is not among them."""
    chunk = manifest[entry]
    return {chunk["file"]}.union(*(static_imports(manifest, name) for name in chunk.get("imports", ())))


def test_a_lesson_needs_little_script_before_the_terminal() -> None:
    manifest = json.loads((DIST / ".vite" / "manifest.json").read_text())
    files = static_imports(manifest, "src/lesson.ts") | static_imports(manifest, "src/main.ts")
    assert sum((DIST / name).stat().st_size for name in files) < MOST
    assert manifest["src/lesson.ts"]["dynamicImports"], "the terminal is not a chunk of its own"


def test_no_script_holds_up_the_first_paint() -> None:
    for path in TEMPLATES:
        for attributes in re.findall(r"<script([^>]*)>", path.read_text()):
            inline = "src=" not in attributes
            assert inline or "defer" in attributes or 'type="module"' in attributes, f"{path}: <script{attributes}>"
