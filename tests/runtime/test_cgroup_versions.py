"""The control group code on both versions, against trees of files: this kernel may have only one of them."""

from pathlib import Path

import pytest

from engine.runtime import cgroups
from engine.runtime.errors import HostNotReady

UNPRIVILEGED = 0x70010000
V2_FILES = (
    "cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "cgroup.max.descendants", "cgroup.max.depth", "memory.max",
    "memory.oom.group", "memory.reclaim", "pids.max", "cpu.max",
)  # fmt: skip


def _group(path: Path, files: tuple[str, ...]) -> None:
    path.mkdir(parents=True)
    for name in files:
        (path / name).write_text("")


@pytest.fixture
def v2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids hugetlb\n")
    (tmp_path / "cgroup.subtree_control").write_text("")
    return tmp_path


@pytest.fixture
def v1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path / "memory", tmp_path / "pids", tmp_path / "unified"])
    return tmp_path


def _owners(group: Path) -> set[str]:
    return {entry.name for entry in (group, *group.iterdir()) if entry.stat().st_uid == UNPRIVILEGED}


@pytest.mark.kernel
def test_version_2_delegates_what_moves_processes_and_nothing_that_limits(v2: Path) -> None:
    _group(v2 / "playground-0" / "one", V2_FILES)
    cgroups.delegate("playground-0/one", UNPRIVILEGED, nesting=False)
    assert _owners(v2 / "playground-0" / "one") == {"one", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}


@pytest.mark.kernel
def test_version_2_bounds_the_groups_below(v2: Path) -> None:
    _group(v2 / "playground-0" / "one", V2_FILES)
    cgroups.delegate("playground-0/one", UNPRIVILEGED, nesting=False)
    assert (v2 / "playground-0/one/cgroup.max.descendants").read_text() == "256"
    assert (v2 / "playground-0/one/cgroup.max.depth").read_text() == "8"


@pytest.mark.kernel
def test_version_2_hands_every_controller_on_where_groups_are_made(v2: Path) -> None:
    group = v2 / "playground-0" / "one"
    _group(group, V2_FILES)
    (group / "cgroup.controllers").write_text("memory pids\n")
    cgroups.delegate("playground-0/one", UNPRIVILEGED, nesting=True)
    assert (group / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert _owners(group) == {"one", "init.scope", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}


@pytest.mark.kernel
def test_version_1_delegates_the_directory_procs_and_tasks(v1: Path) -> None:
    _group(v1 / "memory/playground-0/one", ("cgroup.procs", "tasks", "memory.limit_in_bytes", "cgroup.event_control"))
    _group(v1 / "unified/playground-0/one", ("cgroup.procs", "cgroup.subtree_control"))
    cgroups.delegate("playground-0/one", UNPRIVILEGED, nesting=False)
    assert _owners(v1 / "memory/playground-0/one") == {"one", "cgroup.procs", "tasks"}
    assert _owners(v1 / "unified/playground-0/one") == set(), "the empty version 2 tree beside it is nobody's"


def test_the_parent_switches_on_what_sandboxes_need_and_the_kernel_has(v2: Path) -> None:
    (v2 / "playground-0").mkdir()
    (v2 / "playground-0" / "cgroup.controllers").write_text("memory pids\n")
    cgroups.make_parent("playground-0")
    assert (v2 / "cgroup.subtree_control").read_text() == "+memory +cpu +pids +io +cpuset"
    assert (v2 / "playground-0" / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_a_group_that_cannot_hand_its_controllers_on_says_what_to_do(v2: Path) -> None:
    """In a container the top group has processes; the kernel answers EBUSY. A directory refuses to be written to as well."""
    (v2 / "cgroup.subtree_control").unlink()
    (v2 / "cgroup.subtree_control").mkdir()
    with pytest.raises(HostNotReady, match="first move all processes"):
        cgroups.make_parent("playground-0")


def test_version_2_counts_the_forks_that_its_own_limit_refused(v2: Path) -> None:
    group = v2 / "playground-0" / "one"
    _group(group / "below", ())
    for file, text in (("memory.events", "oom_kill 2\n"), ("pids.events", "max 3\n"), ("cpu.stat", "usage_usec 1500000\n")):
        (group / file).write_text(text)
    (group / "below" / "pids.events").write_text("max 4\n")
    assert cgroups.counters("playground-0/one") == cgroups.Counters(oom_kills=2, pids_refused=7, cpu=1.5)
    (group / "pids.events.local").write_text("max 3\n")  # Linux 6.11: the other four met a limit that was set inside
    assert cgroups.counters("playground-0/one").pids_refused == 3


def test_version_2_figures(v2: Path) -> None:
    _group(v2 / "playground-0" / "one", ())
    group = v2 / "playground-0" / "one"
    (group / "memory.current").write_text("4096\n")
    (group / "memory.stat").write_text("anon 10\nkernel 77\ninactive_file 96\n")
    (group / "memory.peak").write_text("8192\n")
    assert cgroups.memory_used("playground-0/one") == 4096
    assert cgroups.kernel_memory("playground-0/one") == 77
    assert cgroups.memory_peak("playground-0/one") == 8192


def test_version_2_weighs_io_where_the_kernel_has_it(v2: Path) -> None:
    _group(v2 / "playground-0", ("cgroup.controllers", "io.weight"))
    cgroups.make_parent("playground-0")
    assert (v2 / "playground-0" / "io.weight").read_text() == "50"
    assert not (v2 / "playground-0" / "io.bfq.weight").exists()


def test_version_1_weighs_io_only_where_the_disks_scheduler_does(v1: Path) -> None:
    for hierarchy in cgroups.hierarchies():
        hierarchy.mkdir()
    _group(v1 / "blkio" / "playground-0", ("blkio.bfq.io_serviced", "blkio.bfq.weight"))
    cgroups.make_parent("playground-0")
    group = v1 / "blkio" / "playground-0"
    assert {entry.name: entry.read_text() for entry in group.iterdir()} == {"blkio.bfq.io_serviced": "", "blkio.bfq.weight": "50"}


def test_groups_below_are_counted_where_they_are_most(v1: Path) -> None:
    for name in ("memory/playground-0/one/a/b", "memory/playground-0/one/c", "pids/playground-0/one"):
        (v1 / name).mkdir(parents=True)
    assert cgroups.descendants("playground-0/one") == 3
    assert cgroups.descendants("playground-0/other") == 0


def test_what_is_read_of_a_version_2_host_is_one_hierarchy(v2: Path) -> None:
    assert cgroups.unified()
    assert cgroups.hierarchies() == [v2]
