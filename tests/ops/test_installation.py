"""Which installation a command works on, and that two never work on one."""

import os
from pathlib import Path

import pytest

from deploy.installation import Installation, from_environment
from playground.environment import Environment


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(state=tmp_path / "state", user="nobody", bind="127.0.0.1", port=8000)


def test_it_reads_the_same_defaults_as_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PLAYGROUND_"):
            monkeypatch.delenv(name)
    ours, site = from_environment(), Environment()
    assert (ours.state, ours.user, ours.bind, ours.port) == (site.state, site.user, site.bind, site.port)


@pytest.mark.parametrize("port", ["0", "65536", "http", ""])
def test_it_names_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str) -> None:
    monkeypatch.setenv("PLAYGROUND_PORT", port)
    with pytest.raises(SystemExit, match="1"):
        from_environment()
    assert "from 1 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("state", ["state", "/", "/var"])
def test_it_refuses_a_state_directory_that_cannot_be_its_own(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    monkeypatch.setenv("PLAYGROUND_STATE", state)
    with pytest.raises(SystemExit, match="1"):
        from_environment()


def test_it_refuses_a_directory_that_holds_something_else(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    installation.state.mkdir()
    (installation.state / "thesis.odt").touch()
    with pytest.raises(SystemExit):
        installation.claim()
    assert "not empty and not ours" in capsys.readouterr().err
    assert not installation.marker.exists()


def test_it_runs_once(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    with installation.locked():
        assert installation.holder() == os.getpid()
        with pytest.raises(SystemExit, match="1"), installation.locked():
            pass
        assert f"already runs (process {os.getpid()})" in capsys.readouterr().err
    assert installation.holder() is None
