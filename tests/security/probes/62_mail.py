"""Attack: send mail from the host's address
Source: https://www.m3aawg.org (managing port 25)
Profiles: basic docker
Weakening: firewall
"""

from probe import FACTS, greeted, held, worked

if not greeted(FACTS["world"], FACTS["port"]):
    raise SystemExit("this sandbox has no internet: the probe would prove nothing")
if greeted(FACTS["world"], 25):
    worked("port 25 of a machine outside answers")
held("the world answers, its port 25 does not")
