"""Debian packages: what is missing, and that their services do not start while they are installed."""

from pathlib import Path

import pytest

from deploy import packages


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "POLICY", path)
    monkeypatch.setattr(packages, "SAVED", tmp_path / "policy-rc.playground-saved")
    return path


def test_it_finds_what_is_missing() -> None:
    assert packages.missing(["dpkg", "no-such-package-of-debian", "apt"]) == ["no-such-package-of-debian"]


def test_it_refuses_services_and_removes_the_policy_again(policy: Path) -> None:
    with packages.no_services():
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()


def test_it_puts_back_the_operators_policy(policy: Path) -> None:
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o700)
    with pytest.raises(RuntimeError, match="apt failed"), packages.no_services():
        raise RuntimeError("apt failed")
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("own", [True, False])
def test_it_mends_what_a_killed_set_up_left(policy: Path, own: bool) -> None:
    if own:
        packages.SAVED.write_text("#!/bin/sh\nexit 104\n")
    policy.write_text(packages.REFUSE)
    with packages.no_services():
        pass
    assert policy.exists() is own
    assert not own or policy.read_text() == "#!/bin/sh\nexit 104\n"
