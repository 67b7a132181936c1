"""The OCI configuration of a sandbox, as data: what it maps, limits, mounts and lets through."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from engine.runtime import bundle
from engine.runtime.host import Host, Slot
from engine.runtime.profiles import PROFILES
from engine.runtime.spec import MIB, ProfileName, SandboxSpec, checked_spec

HOST, SLOT = Host(state=Path("/srv/state"), instance=5), Slot(5, 77)
ID = "ab" * 16
JOINED = {"user": "/proc/77/ns/user", "network": "/proc/77/ns/net"}
INIT = ("/usr/bin/tini", "--", "/usr/bin/sleep", "infinity")


def _spec(profile: str, **wishes: Any) -> SandboxSpec:
    return checked_spec(id=ID, image="linux", profile=profile, **wishes)


def _config(profile: ProfileName, **wishes: Any) -> dict[str, Any]:
    return bundle.config(_spec(profile, **wishes), PROFILES[profile], HOST, SLOT, INIT, JOINED)


both = pytest.mark.parametrize("profile", ["basic", "docker"])


@both
def test_it_is_json_and_depends_on_nothing_else(profile: ProfileName) -> None:
    assert json.loads(json.dumps(_config(profile))) == _config(profile)


@both
def test_users_and_groups_are_the_slots_own_65536(profile: ProfileName) -> None:
    linux = _config(profile)["linux"]
    assert linux["uidMappings"] == linux["gidMappings"] == [{"containerID": 0, "hostID": SLOT.uid, "size": 65536}]


@both
def test_every_namespace_is_its_own(profile: ProfileName) -> None:
    namespaces = _config(profile)["linux"]["namespaces"]
    assert {entry["type"] for entry in namespaces} == {"pid", "ipc", "uts", "mount", "network", "user", "cgroup"}
    assert {entry["type"]: entry["path"] for entry in namespaces if "path" in entry} == JOINED, "made before, for it alone"


@both
def test_the_limits_are_those_of_the_spec(profile: ProfileName) -> None:
    config = _config(profile, limits={"memory": 300 * MIB, "cpus": 1.5, "pids": 99, "disk": 100 * MIB})
    resources = config["linux"]["resources"]
    assert resources["memory"] == {"limit": 300 * MIB, "swap": 300 * MIB}, "swap counts both: no swap beyond the memory"
    assert resources["cpu"]["quota"] / resources["cpu"]["period"] == 1.5
    assert resources["pids"] == {"limit": 99}


@both
def test_its_cgroup_is_below_the_instances(profile: ProfileName) -> None:
    assert _config(profile)["linux"]["cgroupsPath"] == f"/playground-5/{ID}"


@both
def test_no_path_of_the_host_but_its_own_directory_is_named(profile: ProfileName) -> None:
    config = _config(profile)
    sources = [entry["source"] for entry in config["mounts"] if "bind" in entry["options"] or entry["source"].startswith("/")]
    own = str(HOST.directory(ID))
    assert sources == ([f"{own}/disk/docker"] if profile == "docker" else [])
    assert config["root"]["path"] == f"{own}/rootfs"
    assert "/srv/state" not in json.dumps(config).replace(own, "")


@both
def test_every_tmpfs_is_bounded_and_nothing_mounted_may_be_setuid(profile: ProfileName) -> None:
    for entry in _config(profile)["mounts"]:
        if entry["type"] == "tmpfs":
            assert any(option.startswith("size=") for option in entry["options"]), entry
        if "bind" not in entry["options"]:
            assert "nosuid" in entry["options"], entry


@both
def test_capabilities_are_one_set_and_none_is_inherited(profile: ProfileName) -> None:
    config = _config(profile)
    capabilities = config["process"]["capabilities"]
    assert set(capabilities) == {"bounding", "effective", "permitted"}
    assert all(set(names) == set(PROFILES[profile].capabilities) for names in capabilities.values())


@both
def test_devices_are_refused_but_for_the_harmless(profile: ProfileName) -> None:
    first, *others = _config(profile)["linux"]["resources"]["devices"]
    assert first == {"allow": False, "access": "rwm"}
    assert all(rule["allow"] and rule["type"] == "c" for rule in others), "no block device"
    numbers = {(rule["major"], rule.get("minor")) for rule in others}
    assert numbers == {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None)}


def test_a_terminal_is_the_first_to_go_when_memory_is_short() -> None:
    shell = bundle.process(PROFILES["basic"], ("/bin/bash",), terminal=True, oom_score=bundle.TERMINAL_OOM_SCORE)
    first = _config("basic")["process"]
    assert shell["oomScoreAdj"] > first["oomScoreAdj"] > 0
    assert (first["args"], first["terminal"], shell["terminal"]) == (list(INIT), False, True)


def test_basic_can_change_neither_cgroups_nor_sysctls() -> None:
    basic, docker = _config("basic"), _config("docker")
    options = {entry["destination"]: entry["options"] for entry in basic["mounts"]}
    assert "ro" in options["/sys"]
    assert "ro" in options["/sys/fs/cgroup"]
    assert "/proc/sys" in basic["linux"]["readonlyPaths"]
    assert "/proc/sys" not in docker["linux"]["readonlyPaths"]


@both
def test_no_process_raises_a_limit_above_what_the_engine_has(profile: ProfileName) -> None:
    for entry in _config(profile)["process"]["rlimits"]:
        hard = resource.getrlimit(getattr(resource, entry["type"]))[1]
        assert entry["soft"] <= entry["hard"]
        assert hard == resource.RLIM_INFINITY or entry["hard"] <= hard, entry["type"]
