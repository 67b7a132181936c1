"""Runs the probes inside a sandbox, one after another, and prints one JSON line per probe. Sent as `python3 -c`; input on stdin."""

import json
import os
import subprocess
import sys
from pathlib import Path

work = json.load(sys.stdin)
place = Path("/var/tmp/probes")
place.mkdir(exist_ok=True)
(place / "probe.py").write_text(work["helper"])
(place / "facts.json").write_text(json.dumps(work["facts"]))
for name, source in work["probes"].items():
    path = place / name
    path.write_text(source)
    program = "bash" if name.endswith(".sh") else "python3"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {f"FACT_{key.upper()}": str(value) for key, value in work["facts"].items() if isinstance(value, str | int)}
    try:
        # Descriptors the runtime may have leaked are passed on: a probe looks for them.
        ended = subprocess.run(
            [program, str(path)], cwd="/root", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, close_fds=False, timeout=work["seconds"], check=False,
        )  # fmt: skip
        status, output = ended.returncode, ended.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        status, output = -1, "took too long: " + (late.stdout or b"").decode(errors="replace")
    print(json.dumps({"name": name, "status": status, "output": output[-2000:]}), flush=True)
