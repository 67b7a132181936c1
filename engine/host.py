"""This node as the runtime's Host: settings in, paths and instance number out. Only the engine worker and operators' commands use it."""

import grp
import os
from functools import cache

from django.conf import settings

from engine.runtime import instance
from engine.runtime.host import Host


def gateway_group() -> int:
    """Group id of the unprivileged user; root's own where the user does not exist (a development checkout)."""
    try:
        return grp.getgrnam(settings.UNPRIVILEGED_USER).gr_gid
    except KeyError:
        return os.getgid()


@cache
def this_host() -> Host:
    """The installation of PLAYGROUND_STATE, brought up if nothing has done so yet. Raises HostNotReady."""
    if instance.find(settings.STATE) is None:
        return instance.bring_up(settings.STATE, settings.RUNTIME, gateway_group())
    return instance.opened(settings.STATE, settings.RUNTIME, gateway_group())
