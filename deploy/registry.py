"""The lab registry's process: `python -m deploy.registry` writes its configuration for this installation, then becomes docker-registry."""

import os
import sys
from typing import NoReturn

from engine.runtime import instance, registry
from engine.runtime.debian import ImageError
from engine.runtime.errors import SandboxError
from engine.runtime.network import REGISTRY_PORT
from playground.environment import env


def main() -> NoReturn:
    config = env.state / "run" / "registry" / "config.yml"
    try:
        listen = f"{instance.opened(env.state).gateway}:{REGISTRY_PORT}"
        registry.write_config(env.state / "registry", config, listen, registry.resolve_upstream(env.registry_upstream))
    except (ImageError, SandboxError) as error:
        sys.exit(str(error))
    command = registry.serve_argv(config)
    os.execvp(command[0], command)  # noqa: S606 - argv, no shell


if __name__ == "__main__":
    main()
