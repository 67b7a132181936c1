"""Attack: read what tells of the host: interrupts, keys, timers, kcore, page flags
Source: https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#masked-paths
Profiles: basic docker
Weakening: unmasked
"""

from pathlib import Path

from probe import held, worked

NAMES = ("/proc/interrupts", "/proc/keys", "/proc/timer_list", "/proc/kcore", "/proc/kpagecount", "/proc/kpageflags", "/proc/cmdline",
         "/proc/partitions", "/proc/diskstats")  # fmt: skip
shown = []
for name in NAMES:
    try:
        with Path(name).open("rb") as file:
            if file.read(1):
                shown.append(name)
    except OSError:
        continue
if shown:
    worked(", ".join(shown))
held(f"{len(NAMES)} files are empty, absent or refused")
