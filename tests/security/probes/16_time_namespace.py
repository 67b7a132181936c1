"""Attack: make a time namespace
Source: time_namespaces(7)
Profiles: basic docker
Weakening: seccomp counts caps
"""

from probe import call, held, in_child, worked

code = in_child(lambda: call("unshare", 0x80)[1])
if code == 0:
    worked("a time namespace was made")
held(f"unshare: errno {code}")
