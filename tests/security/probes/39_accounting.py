"""Attack: switch process accounting on, into a file of ours
Source: acct(2)
Profiles: basic docker
Weakening: rootful
"""

from probe import held, refused

held(refused("acct", b"/nonexistent"))
