"""Attack: restart the host (here: switch Ctrl-Alt-Del off, as it is)
Source: reboot(2)
Profiles: basic docker
Weakening: rootful
"""

from probe import held, refused

held(refused("reboot", 0xFEE1DEAD, 672274793, 0, 0))
