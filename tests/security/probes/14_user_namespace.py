"""Attack: make a user namespace, and with it every capability
Source: user_namespaces(7); CVE-2022-0185, CVE-2023-32233 start so
Profiles: basic docker
Weakening: seccomp counts
"""

from probe import call, held, in_child, worked

NEWUSER = 0x10000000
by_unshare = in_child(lambda: call("unshare", NEWUSER)[1])
by_clone = in_child(lambda: min(call("clone", NEWUSER | 17, 0, 0, 0, 0)[1], 250))
if 0 in (by_unshare, by_clone):
    worked(f"unshare: errno {by_unshare}, clone: errno {by_clone}")
held(f"unshare: errno {by_unshare}, clone: errno {by_clone}")
