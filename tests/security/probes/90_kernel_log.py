"""Attack: read the kernel's messages
Source: syslog(2), kernel.dmesg_restrict
Profiles: basic docker
Weakening: rootful
"""

from probe import held, refused

held(refused("syslog", 10, 0, 0))
