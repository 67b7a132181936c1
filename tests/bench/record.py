"""Record the session that plays on the home page: `python -m tests.bench.record OUTPUT.cast`, root.

A real machine, typed into as a person would. What comes out is conmon's own time-stamped log of the terminal.
Format: asciicast (docs.asciinema.org/manual/asciicast/v2).
"""

import json
import re
import sys
import time
from datetime import datetime
from pathlib import Path
from uuid import UUID

from engine.gateway.logfile import decode
from engine.runtime import conmon
from tests.bench.site import site

COLUMNS, ROWS = 50, 15
COMMANDS = (
    "docker run --rm debian echo hello",
    "docker ps --all --quiet",
    "docker images --format '{{.Repository}}'",
)
KEY, PAUSE = 0.055, 1.1  # s
PROMPT = re.compile(rb"root@lab:\S*# $")
SEQUENCE = re.compile(rb"\x1b\[[?\d;]*[A-Za-z]")
LINE = re.compile(rb"(\S+) stdout [FP] [^\n]*\n")


def record(directory: Path) -> list[tuple[float, str]]:
    (directory / "winsz").write_text(f"{ROWS} {COLUMNS}\n")
    with conmon.connect(directory) as terminal:
        terminal.settimeout(30)

        def wait() -> None:
            heard = b""
            while not PROMPT.search(SEQUENCE.sub(b"", heard)):
                packet = terminal.recv(65536)
                assert packet, f"the terminal ended after {heard!r}"
                heard += packet[1:]

        def typed(text: str) -> None:
            for character in text:
                terminal.send(character.encode())
                time.sleep(KEY)

        terminal.send(b"\f")  # Ctrl-L: a prompt at the top of a screen of this size
        wait()
        begun = time.time()
        for command in COMMANDS:
            time.sleep(PAUSE)
            typed(command)
            time.sleep(PAUSE / 3)
            terminal.send(b"\r")
            time.sleep(0.2)
            wait()
    return events((directory / conmon.LOG_NAME).read_bytes(), begun)


def events(log: bytes, begun: float) -> list[tuple[float, str]]:
    """(seconds, output) from the moment on; what was there before is one event at the start."""
    found: list[tuple[float, str]] = []
    for line in LINE.finditer(log):
        at = datetime.fromisoformat(line[1].decode()[:26].rstrip("Z") + "+00:00").timestamp() - begun
        text = decode(line[0])[0].decode()
        if at <= 0:
            found = [(0.0, (found[0][1] + text if found else text).rpartition("\x1b[2J")[2])]
        else:
            found.append((round(at, 3), text))
    return found


def main() -> int:
    output = Path(sys.argv[1])
    with site() as stack:
        machine = UUID(stack.manage("sandbox", "start", "--image", "docker").strip().splitlines()[-1])
        session = record(stack.installation.state / "sandboxes" / machine.hex / "terminals" / "1")
        stack.manage("sandbox", "stop", str(machine))
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "A container from start to end"}
    lines = [json.dumps(header), *(json.dumps([at, "o", text]) for at, text in session)]
    output.write_text("\n".join(lines) + "\n")
    print(f"{output}: {len(session)} events, {session[-1][0]:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
