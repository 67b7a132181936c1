"""Attack: change settings that are the host's: panic, sysrq, swappiness, file-max, ASLR, ptrace
Source: proc(5), sysctl(8)
Profiles: basic docker
Weakening: rootful
"""

from probe import held, rewritten, worked

NAMES = (
    "kernel/panic", "kernel/randomize_va_space", "kernel/kptr_restrict", "kernel/dmesg_restrict", "kernel/perf_event_paranoid",
    "kernel/threads-max", "vm/swappiness", "vm/overcommit_memory", "vm/min_free_kbytes", "fs/file-max",
    "fs/protected_symlinks", "fs/pipe-max-size", "fs/inotify/max_user_watches", "net/netfilter/nf_conntrack_max",
)  # fmt: skip
written = [name for name in NAMES if rewritten(f"/proc/sys/{name}")]
if written:
    worked(", ".join(written))
held(f"{len(NAMES)} settings of the host cannot be written")
