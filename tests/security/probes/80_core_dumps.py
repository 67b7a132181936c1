"""Attack: fill the disk with core dumps, or feed them to the host's core_pattern
Source: core(5), RLIMIT_CORE
Profiles: basic docker
Weakening: rlimits
"""

import resource

from probe import held, worked

try:
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
except (OSError, ValueError):
    held("core dumps are off and stay off")
worked("core dumps of 1 MiB are allowed")
