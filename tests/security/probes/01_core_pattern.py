"""Attack: make the host run a program of ours when something crashes, by kernel.core_pattern
Source: core(5), "Piping core dumps to a program"
Profiles: basic docker
Weakening: rootful
"""

from probe import held, rewritten, worked

if rewritten("/proc/sys/kernel/core_pattern"):
    worked("kernel.core_pattern can be written")
held("kernel.core_pattern cannot be written")
