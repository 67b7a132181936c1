"""A disk somebody else may have written is looked over before this machine's kernel mounts it."""

import os
import struct
import subprocess
from pathlib import Path

import psutil
import pytest

from engine.runtime import checking, mounts
from engine.runtime.checking import check_disk
from engine.runtime.disk import inodes, make_disk
from engine.runtime.errors import StepFailed
from engine.runtime.spec import MIB
from tests.waiting import until

pytestmark = pytest.mark.kernel
SIZE = 64 * MIB
BLOCK = 4096


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    make_disk(path, SIZE)
    return path


def _fill(image: Path) -> None:
    """Some files in it, written by debugfs(8): no mount."""
    commands = "".join(f"write /etc/services file{number}\nmkdir directory{number}\n" for number in range(20))
    subprocess.run(["debugfs", "-w", "-f", "-", str(image)], input=commands.encode(), check=True, capture_output=True)


def _mounted(image: Path, place: Path) -> list[str]:
    def look() -> list[str]:
        mounts.mount_disk(image, place)
        return sorted(os.listdir(place))  # noqa: PTH208

    place.mkdir()
    return mounts.in_private_mounts(look)


def test_a_disk_we_made_is_clean_and_mounts(image: Path, tmp_path: Path) -> None:
    _fill(image)
    assert check_disk(image) is False
    assert "directory7" in _mounted(image, tmp_path / "mnt")


def test_it_is_roots_again_afterwards(image: Path) -> None:
    image.chmod(0o666)
    check_disk(image)
    seen = image.stat()
    assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o777) == (0, 0, 0o600)


def test_a_forged_directory_is_mended_before_the_kernel_sees_it(image: Path, tmp_path: Path) -> None:
    _fill(image)
    # The size of the root directory's inode, and a block of an inode table, are nonsense now.
    subprocess.run(["debugfs", "-w", "-R", "set_inode_field <2> size 0xFFFFFFFF0000", str(image)], check=True, capture_output=True)
    subprocess.run(["debugfs", "-w", "-R", "set_inode_field <12> mode 0177777", str(image)], check=True, capture_output=True)
    assert check_disk(image) is True
    assert check_disk(image) is False, "nothing is left to mend"
    assert "lost+found" in _mounted(image, tmp_path / "mnt")


def test_what_cannot_be_mended_is_not_mounted(image: Path) -> None:
    with image.open("r+b") as file:
        file.write(os.urandom(8 * MIB))
    with pytest.raises(StepFailed, match="no ext4 file system"):
        check_disk(image)


def test_random_damage_everywhere_never_gets_past_unnoticed(image: Path, tmp_path: Path) -> None:
    """Each 37th block but the first is random: whatever e2fsck makes of it, a second look finds it clean, or it was refused."""
    _fill(image)
    with image.open("r+b") as file:
        for block in range(5, SIZE // BLOCK, 37):
            file.seek(block * BLOCK)
            file.write(os.urandom(BLOCK))
    try:
        mended = check_disk(image)
    except StepFailed:
        return
    assert mended
    assert check_disk(image) is False


def test_a_feature_our_disks_do_not_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "casefold,encrypt", str(path)], check=True, capture_output=True)
    with pytest.raises(StepFailed, match=r"casefold.*has_journal"):
        check_disk(path)


def test_a_file_system_larger_than_its_disk_is_refused(image: Path) -> None:
    os.truncate(image, SIZE // 2)
    with pytest.raises(StepFailed, match="larger than the disk"):
        check_disk(image)


def test_the_checker_has_no_privilege_and_no_network(image: Path) -> None:
    script = "id -u; grep CapEff /proc/self/status; cat /proc/net/dev | wc -l; ulimit -v; echo"
    said = checking._confined(image, ["sh", "-c", script]).stdout.split()
    assert said == ["65534", "CapEff:", "0000000000000000", "3", str(checking.MEMORY // 1024)]


def test_a_checker_that_does_not_end_is_ended(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "TIMEOUT", 0.3)
    with pytest.raises(StepFailed, match="in time"):
        checking._confined(image, ["sh", "-c", "sleep 4321"])
    until(lambda: not any("4321" in (process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])), "it has ended")


def test_its_inodes_are_the_limit_we_say(image: Path) -> None:
    with image.open("rb") as file:
        file.seek(1024)
        count = struct.unpack("<I", file.read(4))[0]
    assert inodes(SIZE) <= count <= inodes(SIZE) * 1.1
