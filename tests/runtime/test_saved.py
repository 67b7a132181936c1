"""Saved machines: a disk outlives its sandbox and is resumed in another slot, over the build of the image it was made with."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from engine.runtime import identity, images, sandbox, saved, shutdown
from engine.runtime.errors import SandboxError
from engine.runtime.host import UIDS_PER_SLOT, Host, held_slot, lease_slot, release_slot
from engine.runtime.images import ImageError
from engine.runtime.saved import DiskRefused, NotSaved
from engine.runtime.spec import MIB, SandboxSpec
from tests.conftest import Make, Run
from tests.traces import Traces
from tests.waiting import until

pytestmark = pytest.mark.kernel


@pytest.fixture
def saved_id(host: Host) -> Iterator[str]:
    name = uuid4().hex
    yield name
    saved.remove(host, name)


def _resume(host: Host, spec: SandboxSpec, saved_id: str) -> SandboxSpec:
    again = spec.model_copy(update={"id": uuid4().hex})
    sandbox.create(host, again, resumed=saved_id)
    return again


def _save(host: Host, spec: SandboxSpec, saved_id: str) -> None:
    sandbox.save(host, spec.id, saved_id)
    sandbox.destroy(host, spec.id)


def _words(run: Run, spec: SandboxSpec, script: str) -> list[str]:
    result = run(spec.id, "/bin/sh", "-ec", script)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    return result.stdout.decode().split()


def _debugfs(disk: Path, *commands: str) -> None:
    subprocess.run(["debugfs", "-w", "-n", "-f", "-", str(disk)], input="\n".join(commands).encode(), check=True, capture_output=True)


def test_it_works_in_another_slot(host: Host, make: Make, run: Run, saved_id: str) -> None:
    spec = make(terminals=0)
    first = held_slot(host, spec.id)
    script = """echo kept > /root/file; mkdir /srv/theirs; chown 33:44 /srv/theirs; chown 1000 /; rm /etc/issue
        echo more >> /etc/bash.bashrc; cp /bin/ping /root/ping; setcap cap_net_raw+ep /root/ping; chmod u+s /bin/ls
        sh -c 'trap "echo asked > /root/asked; exit" TERM
        while :; do sleep 0.05; done' > /dev/null 2>&1 & echo machine $(cat /etc/machine-id)"""
    assert _words(run, spec, script) == ["machine", spec.id]
    noted = Traces(host, spec.id)
    _save(host, spec, saved_id)
    assert noted.left() == {}, "of the sandbox itself nothing is left"
    assert first is not None
    between = lease_slot(host, "f" * 32)  # somebody else has the slot now
    try:
        assert between.number == first.number
        again = _resume(host, spec, saved_id)
        second = held_slot(host, again.id)
        assert second is not None
        assert second.uid != first.uid
        look = """cat /root/file /root/asked; stat -c %u:%g /srv/theirs /root/file /; test ! -e /etc/issue; tail -1 /etc/bash.bashrc
            getcap /root/ping; stat -c %A /bin/ls; cat /etc/machine-id; grep lab /etc/hosts | head -1; touch /srv/theirs/new /root/new"""
        assert _words(run, again, look) == [
            "kept", "asked", "33:44", "0:0", "1000:0", "more", "/root/ping", "cap_net_raw=ep", "-rwsr-xr-x", again.id,
            str(second.address), "lab",
        ]  # fmt: skip
        # What is in the one's range only is nobody's in the other: on the disk there are the sandbox's own ids and one of the host's.
        ids = subprocess.run(
            ["debugfs", "-R", "stat /upper/root/file", host.saved / saved_id / "disk.img"], capture_output=True, check=True
        )
        assert b"User:     0   Group:     0" in ids.stdout
        sandbox.destroy(host, again.id)
    finally:
        release_slot(host, between)


def test_what_a_resumed_machine_writes_is_saved_however_it_ends(host: Host, make: Make, run: Run, saved_id: str) -> None:
    spec = make(terminals=0)
    _save(host, spec, saved_id)
    for number in range(2):
        again = _resume(host, spec, saved_id)
        assert saved.in_use(host, saved_id)
        with pytest.raises(SandboxError, match="still being put away"):
            sandbox.create(host, spec.model_copy(update={"id": uuid4().hex}), resumed=saved_id)
        assert len(_words(run, again, f"echo {number} >> /root/log; sync; cat /root/log")) == number + 1
        sandbox.destroy(host, again.id)
        assert not saved.in_use(host, saved_id)


def test_a_full_disk_is_saved_and_resumed(host: Host, make: Make, run: Run, saved_id: str) -> None:
    spec = make(terminals=0, disk=64 * MIB)
    run(spec.id, "sh", "-c", "head -c 200M /dev/zero > /root/big; sync")
    _save(host, spec, saved_id)
    assert 60 * MIB < (saved.size(host, saved_id) or 0) <= 65 * MIB
    again = _resume(host, spec, saved_id)
    assert _words(run, again, "rm /root/big; echo room > /root/new; cat /root/new") == ["room"]
    sandbox.destroy(host, again.id)
    assert (saved.size(host, saved_id) or 0) < 20 * MIB, "what was deleted inside is free outside"


def test_files_of_another_range_are_nobodys(host: Host, make: Make, run: Run, saved_id: str) -> None:
    """A forged disk: files of a neighbour's ids and of the host's root, a device of the host, an /etc that leads out."""
    spec = make(terminals=0)
    run(spec.id, "sh", "-c", "for name in neighbour root; do cp /bin/id /root/$name; chmod 4777 /root/$name; done")
    neighbour = make(terminals=0)
    other = held_slot(host, neighbour.id)
    assert other is not None
    _save(host, spec, saved_id)
    disk = host.saved / saved_id / "disk.img"
    device = next(Path("/dev").glob("loop[0-9]*")).stat().st_rdev
    _debugfs(
        disk, f"set_inode_field /upper/root/neighbour uid {other.uid}", f"set_inode_field /upper/root/root uid {UIDS_PER_SLOT}",
        "cd /upper/root", f"mknod host b {os.major(device)} {os.minor(device)}",
    )  # fmt: skip
    again = _resume(host, spec, saved_id)
    assert _words(run, again, "stat -c %u /root/neighbour /root/root") == ["65534", "65534"]
    assert _words(run, again, "for name in neighbour root; do setpriv --reuid=1000 --clear-groups /root/$name -u; done") == ["1000", "1000"]
    assert run(again.id, "sh", "-c", "echo changed > /root/neighbour").returncode != 0
    assert run(again.id, "head", "-c1", "/root/host").returncode != 0
    sandbox.destroy(host, again.id)


def test_a_link_in_place_of_etc_leads_nowhere(host: Host, make: Make, run: Run, saved_id: str, tmp_path: Path) -> None:
    spec = make(terminals=0)
    _words(run, spec, f"mv /etc /etc.old; ln -s {tmp_path} /etc")
    _save(host, spec, saved_id)
    said: list[str] = []
    again = spec.model_copy(update={"id": uuid4().hex})
    sandbox.create(host, again, lambda _, label: said.append(label), resumed=saved_id)
    assert list(tmp_path.iterdir()) == []
    assert any("Leave /etc as it is" in label for label in said)
    assert _words(run, again, "test -d /etc.old && echo in") == ["in"]
    sandbox.destroy(host, again.id)


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        (["rmdir work/work", "rmdir work", "symlink work /root"], "work is not what this site makes"),
        (["set_super_value mount_opts errors=panic"], "mount options of its own"),
        (["feature encrypt"], "features this site's disks do not have"),
    ],
)
def test_a_forged_disk_is_refused_and_nothing_is_left(host: Host, make: Make, saved_id: str, commands: list[str], reason: str) -> None:
    spec = make(terminals=0)
    _save(host, spec, saved_id)
    _debugfs(host.saved / saved_id / "disk.img", *commands)
    before = sandbox.present(host)
    with pytest.raises(SandboxError, match=reason):
        sandbox.create(host, spec.model_copy(update={"id": uuid4().hex}), resumed=saved_id)
    assert sandbox.present(host) == before
    assert not saved.in_use(host, saved_id), "it is there as before"


def test_noise_is_refused(host: Host, make: Make, saved_id: str) -> None:
    spec = make(terminals=0)
    _save(host, spec, saved_id)
    with (host.saved / saved_id / "disk.img").open("r+b") as file:
        file.write(os.urandom(8 * MIB))
    with pytest.raises(DiskRefused, match="no ext4 file system"):
        _resume(host, spec, saved_id)


def test_a_header_that_pretends_is_refused(host: Host, make: Make, saved_id: str) -> None:
    """s_last_mounted (64 bytes at 136 of the superblock, ext4(5)) is printed as it is: a newline in it may begin a line of its own."""
    spec = make(terminals=0)
    _save(host, spec, saved_id)
    with (host.saved / saved_id / "disk.img").open("r+b") as file:
        file.seek(1024 + 136)
        file.write(b"/\nFilesystem features: extent".ljust(64, b"\0"))
    _debugfs(host.saved / saved_id / "disk.img", "set_super_value mtime 1")  # and a right checksum
    with pytest.raises(DiskRefused, match="forged"):
        _resume(host, spec, saved_id)


def test_it_is_resumed_over_its_own_build_of_the_image(host: Host, make: Make, run: Run, saved_id: str) -> None:
    """The image is built anew meanwhile, and pruned: the old build stays as long as a saved machine needs it."""
    spec = make(terminals=0)
    _save(host, spec, saved_id)
    own = images.current(host.images, "linux")
    images_dir = host.state / "other-images"
    (images_dir / "linux").mkdir(parents=True)
    try:
        for digest in (own.digest, "new"):
            shutil.copytree(own.rootfs.parent, images_dir / "linux" / digest, ignore=lambda *_: ["rootfs"])
        (images_dir / "linux" / "current").symlink_to("new")
        assert images.prune(images_dir, host.saved, in_use=()) == []
        assert images.at(images_dir, "linux", saved.record(host, saved_id).digest).rootfs.parent.name == own.digest
        saved.remove(host, saved_id)
        assert [path.name for path in images.prune(images_dir, host.saved, in_use=())] == [own.digest]
        with pytest.raises(ImageError, match="not on this machine any more"):
            images.at(images_dir, "linux", own.digest)
    finally:
        shutil.rmtree(images_dir)


def test_saving_twice_and_deleting_twice_is_once(host: Host, make: Make, saved_id: str) -> None:
    spec = make(terminals=0)
    for _ in range(2):
        sandbox.save(host, spec.id, saved_id)
    sandbox.destroy(host, spec.id)
    sandbox.save(host, spec.id, saved_id)
    for _ in range(2):
        saved.remove(host, saved_id)
    with pytest.raises(NotSaved):
        _resume(host, spec, saved_id)
    with pytest.raises(NotSaved):
        sandbox.save(host, spec.id, saved_id)
    assert saved.present(host) == set()


def test_who_will_not_end_is_not_waited_for(host: Host, make: Make, run: Run, saved_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make(terminals=0)
    monkeypatch.setattr(shutdown, "PATIENCE", 0.2)
    monkeypatch.setattr(shutdown, "GRACE", 0.2)
    run(
        spec.id,
        "sh",
        "-c",
        "cp /bin/bash /root/dockerd; /root/dockerd -c \"trap '' TERM HUP; while :; do sleep 1; done\" > /dev/null 2>&1 &",
    )
    until(lambda: "dockerd" in run(spec.id, "ps", "-eo", "comm").stdout.decode(), "it runs")
    _save(host, spec, saved_id)
    assert saved.size(host, saved_id)


def test_identity_is_written_in_place_of_links(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "outside").write_text("untouched")
    (tmp_path / "etc" / "hosts").symlink_to(tmp_path / "outside")
    os.link(tmp_path / "outside", tmp_path / "etc" / "hostname")
    identity.write(tmp_path, {"hosts": "new", "hostname": "lab"})
    assert (tmp_path / "outside").read_text() == "untouched"
    assert (tmp_path / "etc" / "hosts").read_text() == "new"
