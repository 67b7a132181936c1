"""Attack: open sockets of rarely used families: AF_ALG (CVE-2019-8912), AF_XDP, AF_KEY, TIPC, Bluetooth and others
Source: https://nvd.nist.gov/vuln/detail/CVE-2019-8912
Profiles: basic docker
Weakening: seccomp caps
"""

import errno
import socket

from probe import held, worked

ALLOWED = {1, 2, 10, 16, 17}  # unix, inet, inet6, netlink; packet is the docker profile's
answers: dict[int | None, int] = {}
for family in set(range(1, 46)) - ALLOWED:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind).close()
        except OSError as error:
            answers[error.errno] = answers.get(error.errno, 0) + 1
            # EAFNOSUPPORT and the like are the kernel's words: the filter let the call through.
            if error.errno not in (errno.ENOSYS, errno.EPERM):
                worked(f"family {family} reached the kernel: {error.strerror}")
            continue
        worked(f"family {family} opens")
held(f"{sum(answers.values())} tries refused")
