"""Attack: switch swap off
Source: swapoff(2)
Profiles: basic docker
Weakening: rootful
"""

from probe import held, refused

held(refused("swapoff", b"/nonexistent"))
