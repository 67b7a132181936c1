"""Attack: CVE-2020-15257: the host's abstract unix sockets, which follow the network namespace
Source: https://nvd.nist.gov/vuln/detail/CVE-2020-15257
Profiles: basic docker
Weakening: rootful hostnet
"""

import socket

from probe import FACTS, held, worked

with socket.socket(socket.AF_UNIX) as client:
    try:
        client.connect("\0" + FACTS["abstract"])
    except OSError as error:
        held(f"connect: {error.strerror}")
worked("an abstract socket of the host's accepts")
