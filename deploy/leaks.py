"""`make audit`: looks through what git tracks for secrets that were meant to stay out of it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
LARGEST = 1 << 20  # bytes; larger files are pictures and recordings
# Forms that are secrets wherever they stand. Source: the token formats their issuers document for scanners.
PATTERNS = {
    "a private key": rb"-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY(?: BLOCK)?-----",
    "an AWS access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b",
    "a GitLab token": rb"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Slack token": rb"\bxox[abprs]-[0-9A-Za-z-]{20,}",
    "a Google API key": rb"\bAIza[0-9A-Za-z_-]{35}\b",
    "a PyPI token": rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
    "an npm token": rb"\bnpm_[A-Za-z0-9]{36}\b",
    "a JSON web token": rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a password in a URL": rb"\b(?:postgres(?:ql)?|redis|amqp|smtp|mysql|https?)://[^\s:/@\"'{}<>$]+:(?!password@|secret@|PASSWORD@)[^\s@/\"'{}<>$]{6,}@",
    "Django's secret key": rb"SECRET_KEY\s*=\s*[\"'][^\"'{}]{30,}[\"']",
}
COMPILED = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}


def found(text: bytes) -> Iterator[tuple[int, str]]:
    """(line number, what it looks like) of each secret."""
    for name, pattern in COMPILED.items():
        for match in pattern.finditer(text):
            yield text.count(b"\n", 0, match.start()) + 1, name


def tracked() -> Iterator[Path]:
    """What is committed, and what would be by the next `git add`."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(argv, cwd=SOURCE, capture_output=True, check=True)
    for name in filter(None, listing.stdout.decode().split("\0")):
        path = SOURCE / name
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST:
            yield path


def main() -> int:
    problems, files = 0, 0
    for path in tracked():
        files += 1
        for line, name in found(path.read_bytes()):
            problems += 1
            print(f"{path.relative_to(SOURCE)}:{line}: this looks like {name}", file=sys.stderr)
    print(f"Secrets: {files} files looked through, {problems} found.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
