"""Attack: talk to the hypervisor
Source: vsock(7)
Profiles: basic docker
Weakening: seccomp
"""

import socket

from probe import held, worked

try:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
except OSError as error:
    held(f"AF_VSOCK: {error.strerror}")
worked("an AF_VSOCK socket opens")
