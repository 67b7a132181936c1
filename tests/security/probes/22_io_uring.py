"""Attack: a second system call table that seccomp does not see (CVE-2022-29582)
Source: https://nvd.nist.gov/vuln/detail/CVE-2022-29582
Profiles: basic docker
Weakening: seccomp
"""

import ctypes

from probe import held, refused

parameters = ctypes.create_string_buffer(120)
held(refused("io_uring_setup", 4, ctypes.byref(parameters)))
