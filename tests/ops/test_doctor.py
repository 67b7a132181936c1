"""The doctor, on this machine and on tools that are wrong."""

import http.server
import io
import json
import socket
import threading
from pathlib import Path

import pytest
from django.core.management import call_command

from engine import diagnosis, doctor


def test_it_works() -> None:
    """A machine that runs the tests can run sandboxes."""
    findings = doctor.examine()
    bad = [f"{finding.what}: {finding.found}" for finding in findings if finding.level == "fail" and not finding.what.startswith("port")]
    assert bad == []
    assert {"root", "kernel", "user namespaces", "overlay over idmapped mounts", "loop devices", "OCI runtime", "nftables"} <= {
        finding.what for finding in findings
    }


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text(), sorted(Path("/sys/class/net").iterdir())
    diagnosis.overlay(tmp_path)
    diagnosis.loop_devices(tmp_path)
    diagnosis.network()
    assert (Path("/proc/self/mountinfo").read_text(), sorted(Path("/sys/class/net").iterdir())) == before
    assert list(tmp_path.iterdir()) == []


def test_each_problem_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(diagnosis, "TOOLS", {"no-such-program": "no-such-package"})
    findings = diagnosis.tools()
    assert [(finding.level, finding.remedy) for finding in findings] == [("fail", "apt-get install no-such-package")]


@pytest.mark.parametrize(
    ("version", "level"),
    [("1.1.4", "fail"), ("1.1.5", "warn"), ("1.2.7", "warn"), ("1.2.8", "ok"), ("1.3.2", "warn"), ("1.3.3", "ok"), ("1.4.0", "ok")],
)
def test_it_knows_which_runc_is_mended(tmp_path: Path, version: str, level: str) -> None:
    program = tmp_path / "runc"
    program.write_text(f"#!/bin/sh\necho 'runc version {version}+ds1'\necho 'spec: 1.0.2'\n")
    program.chmod(0o755)
    assert diagnosis.runtime(str(program)).level == level


def test_a_missing_runtime_is_named() -> None:
    finding = diagnosis.runtime("no-such-runtime")
    assert finding.level == "fail"
    assert "no-such-runtime is not installed" in finding.found


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        number = other.getsockname()[1]
        assert diagnosis.port("127.0.0.1", number).level == "ok"
        answerer = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=answerer.serve_forever, daemon=True).start()
    finding = diagnosis.port("127.0.0.1", answerer.server_port)
    answerer.shutdown()
    answerer.server_close()
    assert finding.level == "fail"
    assert "PLAYGROUND_PORT" in finding.remedy


def test_the_command_speaks_json_and_fails_with_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_RUNTIME", "no-such-runtime")
    output = io.StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", "--json", stdout=output)
    found = {finding["what"]: finding for finding in json.loads(output.getvalue())}
    assert found["OCI runtime"]["level"] == "fail"
    assert found["root"]["level"] == "ok"


def test_the_command_prints_lines() -> None:
    output = io.StringIO()
    try:
        call_command("doctor", stdout=output)
    except SystemExit:  # a port that another test's site holds
        assert "fail  port" in output.getvalue()
    assert "ok    root: yes" in output.getvalue()
