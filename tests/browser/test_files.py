"""The machine's files in the browser: what a person does with them, and what happens when the machine changes them meanwhile."""

import hashlib
import http.client
import re
from pathlib import Path

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.person import Person

DROP = """([target, name, size]) => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65536)));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name));
    for (const type of ["dragenter", "dragover", "drop"])
        target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
    const hex = (digest) => [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return crypto.subtle.digest("SHA-256", bytes).then(hex);
}"""


class Files:
    """The panel, as a person sees it."""

    def __init__(self, person: Person) -> None:
        self.person, self.page = person, person.page
        self.panel = self.page.locator(".files")
        self.tree = self.panel.get_by_role("tree")
        self.editor = self.panel.locator(".cm-content")
        self.notice = self.panel.locator(".files-notice")
        self.button = self.page.get_by_role("button", name="Files", exact=True)

    def row(self, name: str) -> Locator:
        return self.tree.get_by_role("treeitem", name=name, exact=True)

    def do(self, what: str) -> None:
        self.panel.get_by_role("button", name=what, exact=True).click()

    def name(self, name: str) -> None:
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label("Name").fill(name)
        dialog.locator("button.primary").click()

    def tab(self, name: str) -> Locator:
        return self.panel.get_by_role("tab", name=re.compile(re.escape(name)))

    def saved(self, name: str) -> None:
        expect(self.tab(name)).not_to_contain_text("●")

    def type(self, text: str) -> None:
        self.editor.click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.insert_text(text)


@pytest.fixture
def files(learner: Person) -> Files:
    learner.open_lesson("A prepared machine")
    learner.at_the_prompt()
    opened = Files(learner)
    opened.button.click()
    opened.row("copied.txt").wait_for()
    return opened


def test_it_works(files: Files) -> None:
    """Open, edit, save with Ctrl+S: the terminal below sees it. The machine changes it: nothing is lost without a question."""
    learner, page = files.person, files.page
    files.row("copied.txt").click()
    expect(files.editor).to_have_text("Good morning")
    files.type("and good night\n")
    expect(files.tab("copied.txt")).to_contain_text("●")
    page.keyboard.press("Control+s")
    files.saved("copied.txt")
    assert learner.runs("cat copied.txt") == "Good morning\nand good night\n"

    learner.runs("echo changed > copied.txt")
    files.type("mine\n")
    page.keyboard.press("Control+s")
    expect(files.notice).to_contain_text("copied.txt has changed in the machine since you opened it. It was not saved.")
    files.notice.get_by_role("button", name="Reload it, lose my changes").click()
    expect(files.editor).to_have_text("changed")
    learner.runs("rm copied.txt")
    files.type("mine\n")
    files.panel.get_by_role("button", name="Save", exact=True).click()
    expect(files.notice).to_contain_text("copied.txt is not there any more. Your text is still here.")
    files.notice.get_by_role("button", name="Save it again").click()
    files.saved("copied.txt")
    assert learner.runs("cat copied.txt") == "changed\nmine\n"

    files.type("not saved")
    files.panel.get_by_role("button", name="Close copied.txt").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it open").click()
    expect(files.editor).to_contain_text("not saved")
    files.panel.get_by_role("button", name="Close copied.txt").click()
    learner.confirm()
    expect(files.editor).to_be_hidden()


def test_files_come_and_go(files: Files, tmp_path: Path) -> None:
    learner, page = files.person, files.page
    files.do("New folder")
    files.name("site one")
    expect(files.row("site one")).to_have_attribute("aria-selected", "true")
    files.do("New file")
    files.name("a/b")
    expect(page.get_by_role("dialog")).to_contain_text("A name has no slash.")
    files.name("index.html")
    files.type("<h1>hello</h1>")
    page.keyboard.press("Control+s")
    files.saved("index.html")
    assert learner.runs("cat 'site one/index.html'; echo") == "<h1>hello</h1>\n"

    digest = page.evaluate(DROP, [files.row("site one").element_handle(), "big.bin", 3_500_000])
    files.row("big.bin").wait_for()
    assert learner.runs("sha256sum < 'site one/big.bin'").split()[0] == digest
    files.row("big.bin").click()
    expect(files.notice).to_contain_text("It has 3.3 MiB; the editor takes 1 MiB at most.")
    with page.expect_download() as started:
        files.notice.get_by_role("button", name="Download").click()
    assert started.value.suggested_filename == "big.bin"
    assert hashlib.sha256(started.value.path().read_bytes()).hexdigest() == digest
    with page.expect_download() as started:
        files.row("site one").click(button="right")
        page.get_by_role("menuitem", name="Download as tar").click()
    assert started.value.suggested_filename == "site one.tar"

    (tmp_path / "big.bin").write_bytes(b"small")
    with page.expect_file_chooser() as chosen:
        files.row("big.bin").click()
        files.do("Upload")
    chosen.value.set_files(tmp_path / "big.bin")
    expect(page.get_by_role("dialog")).to_contain_text("Replace big.bin?")
    learner.confirm()
    # Its size first: 3.5 MB of a binary file would leave no terminal to read from.
    learner.until(lambda: learner.runs("stat --format=%s 'site one/big.bin'") == "5\n", "it is replaced")
    assert learner.runs("cat 'site one/big.bin'; echo") == "small\n"

    files.row("big.bin").focus()
    page.keyboard.press("F2")
    files.name("small.txt")
    expect(files.row("small.txt")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Delete")
    expect(page.get_by_role("dialog")).to_contain_text("The folder goes with everything in it.")
    learner.confirm()
    expect(files.row("site one")).to_have_count(0)
    assert "site" not in learner.runs("ls")


def test_the_tree_by_keyboard(files: Files) -> None:
    learner, page = files.person, files.page
    learner.runs(
        r"mkdir -p deep/er && touch deep/er/x $'new\nline' && seq 2100 | sed 's/^/deep\/f/' | xargs touch; mkfifo pipe"
        r"; ln -s / all"
    )
    files.do("Refresh")
    files.row("new\ufffdline").wait_for()
    files.row("Home").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.type("al")
    expect(files.row("all")).to_be_focused()
    page.wait_for_timeout(800)  # a pause begins another word
    page.keyboard.type("de")
    page.keyboard.press("ArrowRight")
    expect(files.row("deep")).to_have_attribute("aria-expanded", "true")
    expect(files.tree).to_contain_text("2,000 of 2,101 shown.")
    page.keyboard.press("ArrowRight")
    expect(files.row("er")).to_be_focused()
    page.keyboard.press("Enter")
    files.row("x").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(files.tab("x")).to_have_attribute("aria-selected", "true")
    expect(files.editor).to_be_focused()
    files.row("pipe").click()
    expect(files.notice).to_contain_text("This is not a file.")
    page.keyboard.press("F6")
    expect(page.locator(".xterm-helper-textarea").first).to_be_focused()
    learner.runs("true")


def test_a_lesson_s_file_opens_in_the_editor(learner: Person) -> None:
    learner.open_lesson("A prepared machine")
    learner.at_the_prompt()
    files = Files(learner)
    learner.page.get_by_role("button", name="Open in editor").click()
    expect(files.notice).to_contain_text("/root/compose.yaml is not there yet. Press Write file first.")
    learner.page.get_by_role("button", name="Write file").click()
    learner.until(lambda: "compose.yaml" in learner.runs("ls"), "it is written")
    learner.page.get_by_role("button", name="Open in editor").click()
    expect(files.editor).to_contain_text("services:")
    files.type("# more\n")
    learner.page.get_by_role("button", name="Stop the machine").click()
    learner.confirm()
    learner.page.get_by_role("heading", name="You stopped this machine").wait_for()
    expect(files.editor).to_contain_text("# more")


def test_a_download_goes_at_the_browser_s_pace(files: Files, page: Page) -> None:
    """One that is not taken is not read either: the web process does not hold it in memory. One that fails is not passed off as whole."""
    learner = files.person
    learner.runs("head -c 200M /dev/zero > big", 60)
    lab = next(iter(learner.labs))
    cookies = "; ".join(f"{item['name']}={item['value']}" for item in page.context.cookies())
    web = psutil.Process(learner.site.pid("web"))
    before = web.memory_info().rss
    connection = http.client.HTTPConnection("127.0.0.1", learner.site.installation.port, timeout=20)
    connection.request("GET", f"/labs/{lab}/files/download?path=/root/big", headers={"Cookie": cookies})
    response = connection.getresponse()
    assert response.getheader("Content-Disposition") == 'attachment; filename="big"'
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert "sandbox" in (response.getheader("Content-Security-Policy") or "")
    assert len(response.read(1 << 20)) == 1 << 20
    page.wait_for_timeout(1500)
    assert web.memory_info().rss - before < 40 << 20
    learner.runs("truncate -s 10 big")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()
    connection.close()


def test_the_screenshots_to_look_at(files: Files) -> None:
    """Light, dark, narrow and phone; axe finds nothing."""
    shots = Path(files.person.site.installation.state) / "screenshots"
    shots.mkdir(exist_ok=True)
    files.person.runs("mkdir -p web/static; printf '%b' '# A small site\\nfrom flask import Flask\\n\\napp = Flask(\"x\")\\n' > web/app.py")
    files.person.runs("printf '%b' '\\n\\n@app.get(\"/\")\\ndef home() -> str:\\n    return \"hello\"  # 200\\n' >> web/app.py")
    files.do("Refresh")
    files.row("web").click()
    files.row("app.py").click()
    files.type("x = 1\n")
    for name, width, scheme in (("light", 1440, "light"), ("dark", 1440, "dark"), ("narrow", 1024, "light")):
        files.page.set_viewport_size({"width": width, "height": 860})
        files.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        files.page.wait_for_timeout(300)
        files.page.screenshot(path=shots / f"files-{name}.png")
        problems = Axe().run(files.page, context=".files").response["violations"]
        assert [(problem["id"], [node["html"] for node in problem["nodes"]]) for problem in problems] == []
    files.page.set_viewport_size({"width": 360, "height": 740})
    files.page.get_by_role("button", name="Terminal", exact=True).click()
    files.page.wait_for_timeout(300)
    files.page.screenshot(path=shots / "files-phone.png")
    files.panel.get_by_role("button", name="Back to the list").click()
    files.page.screenshot(path=shots / "files-phone-tree.png")
