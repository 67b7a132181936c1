"""Attack: switch a processor off, or put the machine to sleep
Source: Documentation/ABI/testing/sysfs-devices-system-cpu
Profiles: basic docker
Weakening: rootful
"""

from pathlib import Path

from probe import held, rewritten, worked

names = [str(path) for path in Path("/sys/devices/system/cpu").glob("cpu[1-9]*/online")]
names += ["/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/mm/ksm/run", "/sys/kernel/uevent_seqnum"]
written = [name for name in names if rewritten(name)]
if written:
    worked(", ".join(written))
held(f"{len(names)} files of /sys cannot be written")
