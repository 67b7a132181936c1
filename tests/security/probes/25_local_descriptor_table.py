"""Attack: CVE-2015-5157 and CVE-2015-3290: the LDT
Source: https://nvd.nist.gov/vuln/detail/CVE-2015-5157
Profiles: basic docker
Weakening: seccomp
"""

import ctypes

from probe import held, refused

held(refused("modify_ldt", 0, ctypes.byref(ctypes.create_string_buffer(16)), 16))
