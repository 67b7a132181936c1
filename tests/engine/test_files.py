"""The file service on the real kernel, in sandboxes whose learner is hostile: nothing outside is reached, nothing here hangs or breaks."""

import asyncio
import hashlib
import io
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import User

from engine import executions, files, files_link, tasks
from engine.files_words import UPLOAD_MAX, FileRefused
from engine.lifecycle import request_sandbox
from engine.models import Execution, Node, Sandbox
from engine.runtime import sandbox as runtime
from engine.runtime.host import Host
from tests.conftest import Run
from tests.engine.conftest import SMALL
from tests.waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.django_db(transaction=True)]
Shell = Callable[[str], str]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does what is queued for it at once."""

    def send(name: str, args: list[str], **_: Any) -> None:
        task = getattr(tasks, name.removeprefix("engine.tasks."))
        task(*args)

    monkeypatch.setattr(current_app, "send_task", send)


@pytest.fixture
def image() -> str:
    return "linux"


@pytest.fixture
def machine(host: Host, node: Node, ada: User, worker: None, image: str) -> Iterator[Sandbox]:
    sandbox = request_sandbox(ada, replace(SMALL, image=image))
    tasks.create_sandbox(sandbox.id.hex)
    sandbox.refresh_from_db()
    assert sandbox.state == "running"
    yield sandbox
    runtime.destroy(host, sandbox.id.hex)
    link = files_link._links.pop(sandbox.id, None)
    if link is not None:
        link.ask({}, b"", 0.0)  # its thread finds that the sandbox has gone
        link.join(20)
        assert not link.is_alive()


@pytest.fixture
def shell(machine: Sandbox, run: Run) -> Shell:
    """What a learner types into this machine."""

    def one(command: str) -> str:
        result = run(machine.id.hex, "bash", "-c", command)
        assert result.returncode == 0, result.stderr
        return result.stdout.decode(errors="surrogateescape")

    return one


def refused(act: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(FileRefused) as caught:
        act(*arguments)
    assert caught.value.title
    assert caught.value.text
    return caught.value.code


def downloaded(machine: Sandbox, path: str) -> bytes:
    download = files.Download(machine, path)

    async def all_of_it() -> bytes:
        return b"".join([part async for part in download])

    return asyncio.run(all_of_it())


def test_it_works(machine: Sandbox, shell: Shell) -> None:
    tag = files.write(machine, "/root/hello.sh", "new", b"echo hello\n")
    assert shell("bash /root/hello.sh") == "hello\n"
    text = files.read(machine, "/root/hello.sh")
    assert (text.text, text.tag) == ("echo hello\n", tag)
    files.make_folder(machine, "/root/tools")
    files.move(machine, "/root/hello.sh", "/root/tools/hello.sh")
    shell("chmod 750 /root/tools/hello.sh; ln /root/tools/hello.sh /root/twin")
    files.write(machine, "/root/tools/hello.sh", tag, b"echo bye\n")
    assert shell("stat -c %a%h /root/tools/hello.sh; bash /root/twin") == "7502\nbye\n"
    entries = {entry.name: entry for entry in files.folder(machine, "/root").entries}
    assert (entries["tools"].kind, entries["twin"].size) == ("folder", 9)
    files.delete(machine, "/root/tools")
    assert shell("ls /root") == "twin\n"


def test_a_listing_is_quick_and_one_process_serves_all(machine: Sandbox, shell: Shell) -> None:
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        files.folder(machine, "/usr/bin")
        times.append(time.perf_counter() - begun)
    assert sorted(times)[10] < 0.15
    assert times[0] < 2
    assert shell("pgrep -fc file-service") == "1\n"
    print(f"first {times[0] * 1000:.0f} ms, median {sorted(times)[10] * 1000:.1f} ms;", shell("ps -o rss= -p $(pgrep -f file-service)"))


def test_it_ends_when_nobody_asks(machine: Sandbox, shell: Shell, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_link, "IDLE", 0.2)
    files.folder(machine, "/")
    until(lambda: not Execution.objects.exists(), "the service has ended")
    until(lambda: shell("pgrep -fc [f]ile-service || true") == "0\n", "its process has ended")
    assert list((host.directory(machine.id.hex) / "commands").iterdir()) == []
    assert files.folder(machine, "/root").counted


def test_links_stay_inside(machine: Sandbox, shell: Shell) -> None:
    """An absolute link leads to the sandbox's own file of that name; the host's is another one."""
    shell(
        "ln -s /etc/shadow /root/shadow; ln -s ../../../../../../etc/shadow /root/up; ln -s /proc/1/root/etc/shadow /root/init"
        "; echo own > /etc/shadow"
    )
    for name in ("shadow", "up", "init"):
        assert files.read(machine, f"/root/{name}").text == "own\n"
    files.write(machine, "/root/shadow", "any", b"mine\n")
    assert shell("cat /etc/shadow") == "mine\n"
    assert shell("readlink /root/shadow") == "/etc/shadow\n"
    assert refused(files.read, machine, "/root/../../etc/shadow") == "bad-path"
    shell("ln -s /root /root/again; ln -s loop /root/loop; mkdir /root/d; ln -s /usr /root/d/usr")
    kinds = {entry.name: (entry.kind, entry.link) for entry in files.folder(machine, "/root").entries}
    assert kinds["again"] == ("folder", True)
    assert kinds["loop"] == ("broken", True)
    assert refused(files.read, machine, "/root/loop") == "loop"
    files.delete(machine, "/root/d")
    assert shell("test -e /usr/bin/env && echo there") == "there\n"


def test_what_waits_or_acts_is_not_opened(machine: Sandbox, shell: Shell) -> None:
    shell("mkfifo /root/fifo; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/root/socket\")'; ln -s fifo /root/link")
    begun = time.monotonic()
    for path in ("/root/fifo", "/root/link", "/root/socket", "/dev/tty", "/dev/zero"):
        assert refused(files.read, machine, path) == "not-a-file"
        assert refused(files.write, machine, path, "any", b"x") == "not-a-file"
        assert refused(files.Download, machine, path) == "not-a-file"
    assert files.read(machine, "/proc/self/comm").text == "python3\n"
    assert downloaded(machine, "/proc/self/comm") == b"python3\n"
    files.Download(machine, "/root").close()
    assert time.monotonic() - begun < 5


def test_a_huge_folder_is_cut(machine: Sandbox, shell: Shell) -> None:
    shell("mkdir /tmp/many && cd /tmp/many && mkdir zz && seq -w 30000 | xargs touch")
    found = files.folder(machine, "/tmp/many")
    assert (found.total, found.counted, len(found.entries)) == (30001, True, 2000)
    assert [entry.name for entry in found.entries[:3]] == ["zz", "00001", "00002"]
    shell("mkdir /root/more && cd /root/more && seq 1 50000 | xargs touch")
    begun = time.monotonic()
    found = files.folder(machine, "/root/more")
    assert (found.total, len(found.entries)) == (50000, 2000)
    assert time.monotonic() - begun < 2


def test_any_name_that_linux_has(machine: Sandbox, shell: Shell) -> None:
    shell(r"""cd /root && mkdir n && cd n && touch $'new\nline' $'\xff\xfe' '<b>%41' ' ' $'\u202etxt'""")
    names = {entry.name for entry in files.folder(machine, "/root/n").entries}
    assert names == {"new%0Aline", "%FF%FE", "%3Cb%3E%2541", "%20", "%E2%80%AEtxt"}
    for name in names:
        tag = files.write(machine, f"/root/n/{name}", files.read(machine, f"/root/n/{name}").tag, b"x")
        assert files.read(machine, f"/root/n/{name}").tag == tag
        files.move(machine, f"/root/n/{name}", f"/root/n/{name}2")
        files.delete(machine, f"/root/n/{name}2")
    assert shell("ls -A /root/n") == ""
    for bad in ("root", "", "/root//x", "/root/.", "/root/%00", "/root/" + "a" * 256, "/" + "a/" * 2100):
        assert refused(files.folder, machine, bad) == "bad-path"


def test_only_text_in_utf_8_of_a_mebibyte_is_edited(machine: Sandbox, shell: Shell) -> None:
    shell(r"printf 'a\r\nb\rc\n' > /root/mixed; printf '\xef\xbb\xbfbom' > /root/bom; printf 'caf\xe9' > /root/latin")
    shell(r"printf 'a\0b' > /root/bin")
    shell("head -c 1048576 /dev/zero | tr '\\0' x > /root/full; cp /root/full /root/over; echo >> /root/over")
    assert files.read(machine, "/root/mixed").text == "a\r\nb\rc\n"
    assert files.read(machine, "/root/bom").text == "\ufeffbom"
    assert refused(files.read, machine, "/root/latin") == "not-utf-8"
    assert refused(files.read, machine, "/root/bin") == "binary"
    assert refused(files.read, machine, "/root/over") == "too-large-to-edit"
    full = files.read(machine, "/root/full")
    assert files.write(machine, "/root/full", full.tag, full.text.encode()) == full.tag
    assert refused(files.write, machine, "/root/full", full.tag, b"x" * ((1 << 20) + 1)) == "too-large-to-edit"


def test_what_changed_meanwhile_is_not_overwritten(machine: Sandbox, shell: Shell) -> None:
    tag = files.write(machine, "/root/a", "new", b"one\n")
    assert refused(files.write, machine, "/root/a", "new", b"two\n") == "exists"
    shell("echo other > /root/a")
    assert refused(files.write, machine, "/root/a", tag, b"two\n") == "changed"
    shell("rm /root/a")
    assert refused(files.write, machine, "/root/a", tag, b"two\n") == "gone"
    files.write(machine, "/root/a", "any", b"two\n")
    assert shell("cat /root/a") == "two\n"
    files.write(machine, "/root/b", "new", b"")
    assert refused(files.move, machine, "/root/a", "/root/b") == "exists"
    assert refused(files.make_folder, machine, "/root/b") == "exists"
    assert refused(files.delete, machine, "/") == "root"


def test_a_full_disk_costs_nothing(machine: Sandbox, shell: Shell) -> None:
    shell("mkdir -p /dev/shm/x && echo kept > /dev/shm/x/a && head -c 67104768 /dev/zero > /dev/shm/fill || true; echo")
    tag = files.read(machine, "/dev/shm/x/a").tag
    assert refused(files.write, machine, "/dev/shm/x/a", tag, b"y" * 500_000) == "disk-full"
    assert refused(files.write, machine, "/dev/shm/x/b", "new", b"y" * 500_000) == "disk-full"
    part = files.Part(upload="a" * 16, offset=0, total=500_000, replace=False, data=b"y" * 500_000)
    assert refused(files.put, machine, "/dev/shm/x/c", part) == "disk-full"
    assert shell("cat /dev/shm/x/a; ls -A /dev/shm/x") == "kept\na\n"
    assert refused(files.make_folder, machine, "/proc/sys/x") in ("gone", "no-permission", "read-only")


def _upload(machine: Sandbox, path: str, data: bytes, **wishes: Any) -> None:
    for offset in range(0, max(1, len(data)), files.PART_MAX):
        part = files.Part("0" * 16, offset, len(data), wishes.get("replace", False), data[offset : offset + files.PART_MAX])
        files.put(machine, path, part)


def test_an_upload_comes_whole_or_not_at_all(machine: Sandbox, shell: Shell) -> None:
    data = os.urandom(3_500_000)
    _upload(machine, "/root/big", data)
    assert shell("sha256sum < /root/big").split()[0] == hashlib.sha256(data).hexdigest()
    assert downloaded(machine, "/root/big") == data
    _upload(machine, "/root/none", b"")
    assert shell("stat -c %s /root/none; ls -A /root | grep -c upload || true") == "0\n0\n"
    begun = files.Part("1" * 16, 0, 2000, False, b"x" * 1000)
    files.put(machine, "/root/half", begun)
    assert shell("ls /root/half 2>&1 || true").endswith("No such file or directory\n")
    assert refused(files.put, machine, "/root/half", files.Part("1" * 16, 1500, 2000, False, b"x" * 500)) == "out-of-step"
    files.cancel(machine, "/root/half", "1" * 16)
    assert refused(_upload, machine, "/root/big", b"x") == "exists"
    shell("chmod 700 /root/big")
    _upload(machine, "/root/big", b"small", replace=True)
    assert shell("cat /root/big; stat -c %a /root/big; ls -A /root | grep -c upload || true") == "small700\n0\n"
    assert refused(files.put, machine, "/root/x", files.Part("2" * 16, 0, UPLOAD_MAX + 1, False, b"x")) == "too-large-to-upload"
    assert refused(files.put, machine, "/root/x", files.Part("../../etc", 0, 1, False, b"x")) == "out-of-step"


def test_a_folder_comes_as_a_tar(machine: Sandbox, shell: Shell) -> None:
    shell(
        "mkdir -p '/root/site/a b' && cd /root/site && echo hi > 'a b/index' && ln -s /etc/shadow out && mkfifo f"
        " && head -c 300000 /dev/urandom > bin"
    )
    shell(r"cd /root/site && touch $'\xff' && mkdir -p /root/site/$(printf 'long%.0s' {1..50})/deep")
    with tarfile.open(fileobj=io.BytesIO(downloaded(machine, "/root/site")), encoding="utf-8", errors="surrogateescape") as tar:
        members = {member.name: member for member in tar.getmembers()}
        assert tar.extractfile("site/a b/index").read() == b"hi\n"  # type: ignore[union-attr]
        assert len(tar.extractfile("site/bin").read()) == 300_000  # type: ignore[union-attr]
    assert members["site/out"].issym()
    assert "site/f" not in members
    assert "site/\udcff" in members
    shell("truncate -s 2G /root/site/sparse")
    assert refused(files.Download, machine, "/root/site") == "folder-too-large"
    assert refused(files.Download, machine, "/root/site/sparse") == "too-large-to-download"


def test_a_file_that_shrinks_is_not_passed_off_as_whole(machine: Sandbox, shell: Shell) -> None:
    shell("head -c 3000000 /dev/zero > /root/log")

    download = files.Download(machine, "/root/log")
    assert download.size == 3_000_000

    async def take() -> None:
        async for _ in download:
            await asyncio.to_thread(shell, "truncate -s 10 /root/log")

    with pytest.raises(FileRefused):
        asyncio.run(take())


MOUNT = """mount() { python3 -c 'import ctypes, sys
source, target, kind, flags = sys.argv[1:]
sys.exit(ctypes.CDLL(None).mount(source.encode(), target.encode(), kind.encode(), int(flags), None) != 0)' "$@"; }
"""
BIND = 4096  # MS_BIND of mount(2)


@pytest.mark.parametrize("image", ["docker"])
def test_mounts_are_not_crossed(machine: Sandbox, shell: Shell) -> None:
    """With Docker inside, the learner may mount: another folder over one, a folder in itself, a file over a file, nothing over /proc."""
    shell("mkdir -p /root/a/etc /root/a/loop && echo own > /root/a/own && touch /root/f")
    for source, target in (("/etc", "/root/a/etc"), ("/root/a", "/root/a/loop"), ("/etc/hostname", "/root/f")):
        shell(f"{MOUNT} mount {source} {target} none {BIND}")
    assert {entry.name for entry in files.folder(machine, "/root/a").entries} == {"etc", "loop", "own"}
    with tarfile.open(fileobj=io.BytesIO(downloaded(machine, "/root/a"))) as tar:
        assert "a/own" in tar.getnames()
        assert len(tar.getnames()) < 1000
    assert refused(files.delete, machine, "/root/a") == "in-use"
    assert shell("test -e /etc/passwd && cat /root/a/own") == "own\n"
    assert files.read(machine, "/root/f").text == shell("cat /etc/hostname")
    shell(f"{MOUNT} mount none /proc tmpfs 0")
    assert refused(files.read, machine, "/root/f") == "gone"


HOSTILE = {
    "nothing": "sleep 60",
    "an end": "exit 0",
    "noise": "cat /dev/urandom",
    "a huge answer": r"printf '\xff\xff\xff\xff\0\0\0\0'; cat > /dev/null",
    "too much": r"""printf '\0\0\0\013\0\0\0\0{"ready":1}{"ready":1}'; cat > /dev/null""",
    "no JSON": r"printf '\0\0\0\3\0\0\0\0{{{'; cat > /dev/null",
    "deep JSON": r"""/usr/bin/perl -e 'print pack("NN",900000,0),"["x900000'; cat > /dev/null""",
}


def test_a_learner_s_own_service_harms_nobody(machine: Sandbox, shell: Shell, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_link, "START_TIME", 1.0)
    monkeypatch.setattr(files_link, "AFTER_FAILURE", 0.0)
    for name, answer in HOSTILE.items():
        shell("rm /usr/bin/python3; cat > /usr/bin/python3 <<'END'\n#!/bin/bash\n" + answer + "\nEND\nchmod +x /usr/bin/python3")
        begun = time.monotonic()
        assert refused(files.folder, machine, "/root") in ("garbled", "silent"), name
        assert time.monotonic() - begun < 3, name
    until(lambda: not Execution.objects.exists(), "nothing of it is left")
    assert list((host.directory(machine.id.hex) / "commands").iterdir()) == []


def test_lies_are_no_answers(machine: Sandbox, shell: Shell) -> None:
    """A service that keeps the protocol and says what is not so: every figure and name is looked at."""
    lie = r"""
import json, struct, sys
read = sys.stdin.buffer
read.read(int(read.readline()))
def say(m, p=b""):
    t = json.dumps(m).encode(); sys.stdout.buffer.write(struct.pack(">II", len(t), len(p)) + t + p); sys.stdout.flush()
say({"ready": 1})
entry = {"name": "x", "kind": "file", "link": False, "size": 1, "modified": 1}
def folder(*entries): return {"entries": entries, "total": 1, "counted": True}
lies = [folder({**entry, "name": "../up"}), folder({**entry, "size": -1}), folder(*[entry] * 2001), {},
        {"error": "<script>"}, {"error": "system", "errno": "x"}, {"error": ["gone"]}, {"error": "too-large-to-edit", "size": 10**40}]
for m in lies:
    a, b = struct.unpack(">II", read.read(8)); read.read(a + b); say(m)
"""
    shell(f"mv /usr/bin/python3 /usr/bin/real; cat > /root/lie.py <<'END'\n{lie}\nEND")
    shell("printf '#!/bin/sh\\nexec /usr/bin/real /root/lie.py' > /usr/bin/python3; chmod +x /usr/bin/python3")
    for _ in range(8):
        assert refused(files.folder, machine, "/root") == "garbled"


def test_without_python_it_says_so(machine: Sandbox, shell: Shell) -> None:
    shell("rm /usr/bin/python3")
    assert refused(files.folder, machine, "/root") == "garbled"


def test_few_services_at_once(machine: Sandbox, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "MOST_FILE_SERVICES", 1)
    for _ in range(2):
        last = Execution.objects.create(sandbox=machine, argv=files_link.ARGV)
        tasks.start_execution(last.id.hex)
    assert [entry.name for entry in (host.directory(machine.id.hex) / "commands").iterdir()] == [last.id.hex]
    assert Execution.objects.get() == last
    tasks.end_execution(last.id.hex)
    assert not Execution.objects.exists()
