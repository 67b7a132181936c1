"""The files of a production installation, checked by the programs that read them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.installation import SOURCE

UNITS = sorted((SOURCE / "deploy" / "systemd").iterdir())


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units with this test run's Python in place of the production's, so that systemd finds the program."""
    settings = tmp_path / "playground.env"
    settings.touch()
    copies = []
    for unit in UNITS:
        text = unit.read_text()
        text = text.replace("/var/lib/playground/venv/bin/python", sys.executable).replace("/etc/playground/playground.env", str(settings))
        (tmp_path / unit.name).write_text(text.replace("/opt/playground", str(SOURCE)))
        copies.append(str(tmp_path / unit.name))
    return copies


def test_systemd_takes_the_units(units: list[str]) -> None:
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    ours = [line for line in result.stderr.splitlines() if "playground" in line]
    assert (result.returncode, ours) == (0, [])


@pytest.mark.parametrize("name", ["web", "beat", "registry"])
def test_unprivileged_units_are_closed(units: list[str], name: str) -> None:
    """systemd's own exposure figure: below 2.5 is "OK"; a unit without any of this has 9.6."""
    unit = next(path for path in units if path.endswith(f"playground-{name}.service"))
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-400:]


def test_the_engine_unit_spares_sandboxes() -> None:
    text = (SOURCE / "deploy" / "systemd" / "playground-engine.service").read_text()
    assert "\nKillMode=process\n" in text
    for inherited in ("NoNewPrivileges=", "SystemCallFilter=", "PrivateTmp=", "ProtectSystem="):
        assert f"\n{inherited}" not in text


def test_nginx_takes_the_site(tmp_path: Path) -> None:
    site = "".join(path.read_text() for path in sorted((SOURCE / "deploy" / "nginx").iterdir()))
    site = site.replace("/etc/playground/tls", str(tmp_path)).replace("previews-", "")
    pair = ["-keyout", str(tmp_path / "privkey.pem"), "-out", str(tmp_path / "fullchain.pem")]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=learn.example.org", *pair]
    subprocess.run(request, check=True, capture_output=True)
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/nginx.pid;\nevents {{}}\nhttp {{\n{site}\n}}\n")
    result = subprocess.run(
        [shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx", "-t", "-q", "-e", "stderr", "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_installer_is_a_shell_script() -> None:
    for name in ("install.sh", "manage"):
        subprocess.run(["sh", "-n", SOURCE / "deploy" / name], check=True)


def test_every_path_of_the_units_is_made_by_set_up() -> None:
    """A ReadWritePaths= that does not exist keeps a unit from starting."""
    setup = (SOURCE / "deploy" / "setup.py").read_text()
    for unit in UNITS:
        for line in re.findall(r"^ReadWritePaths=(.*)$", unit.read_text(), re.MULTILINE):
            for path in line.split():
                assert f'("{path.removeprefix("/var/lib/playground/")}",' in setup


@pytest.mark.kernel
@pytest.mark.parametrize("image", ["linux", "docker"])
def test_the_engines_capabilities_are_enough_for_a_sandbox(image: str) -> None:
    text = (SOURCE / "deploy" / "systemd" / "playground-engine.service").read_text()
    found = re.search(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)
    assert found is not None
    bounded = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in found[1].split())])
    command = [sys.executable, "-m", "engine.runtime", "run", "--state", os.environ["PLAYGROUND_STATE"], "--image", image]
    result = subprocess.run(
        ["setpriv", f"--bounding-set={bounded}", "--inh-caps=-all", *command, "--", "id", "-u"],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "0\n"), result.stderr
