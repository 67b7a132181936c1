"""Which process the kernel killed for want of memory: its log is the one place that says so.

Sources: Documentation/ABI/testing/dev-kmsg (a record per read, "priority,sequence,µs,flags;text"); mm/oom_kill.c, `dump_oom_victim` and
`__oom_kill_process`. The kernel limits the rate of the first of the two lines, never of the second.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

KMSG = "/dev/kmsg"
RECORD_MAX = 8192  # bytes; a shorter buffer makes read(2) fail
# A process chooses its own name, so each field is looked for from the end that the kernel alone wrote.
VICTIM = re.compile(r"oom-kill:.*,oom_memcg=(?P<group>/\S*?),task_memcg=\S*,task=.*,pid=(?P<pid>\d+),uid=-?\d+$")
KILLED = re.compile(
    r"Killed process (?P<pid>\d+) \((?P<name>.*)\) total-vm:\d+kB, anon-rss:(?P<anon>\d+)kB, file-rss:\d+kB, "
    r"shmem-rss:(?P<shared>\d+)kB, UID:(?P<uid>\d+) "
)


@dataclass(frozen=True)
class OomKill:
    """One killed process. `memory` is what it alone held, in bytes; `group` is empty where the kernel's rate limit cut that line."""

    sequence: int
    pid: int
    name: str
    memory: int
    uid: int
    group: str


def parse(records: Iterable[str]) -> Iterator[OomKill]:
    """The kills that the log's records tell of, the oldest first."""
    groups: dict[int, str] = {}
    for record in records:
        head, _, text = record.partition(";")
        text = text.partition("\n")[0]
        if victim := VICTIM.search(text):
            groups[int(victim["pid"])] = victim["group"]
        elif killed := KILLED.search(text):
            sequence = int(head.split(",")[1])
            pid = int(killed["pid"])
            memory = (int(killed["anon"]) + int(killed["shared"])) << 10
            yield OomKill(sequence, pid, killed["name"], memory, int(killed["uid"]), groups.pop(pid, ""))


def records() -> Iterator[str]:
    """Every record the kernel still keeps."""
    descriptor = os.open(KMSG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:
            try:
                yield os.read(descriptor, RECORD_MAX).decode(errors="replace")
            except BlockingIOError:  # the end
                return
            except BrokenPipeError:  # overwritten before we came to it: the next read goes on with what is there
                continue
    finally:
        os.close(descriptor)


def oom_kills(sandbox_id: str, uids: range, after: int = -1) -> list[OomKill]:
    """What the kernel killed in this sandbox, the oldest first; only records that came after number `after`.

    A line without its group is told by the victim's user: no other living sandbox has these ids.
    """
    kills = (kill for kill in parse(records()) if kill.sequence > after)
    return [kill for kill in kills if sandbox_id in kill.group or (not kill.group and kill.uid in uids)]
