"""The web process: uvicorn on uvloop. It reads a body no faster than the application takes it, and writes no faster than the browser does.

`python -m playground.server`
"""

import uvicorn
from django.db.backends.signals import connection_created

from playground.database import hold_log
from playground.environment import env

MESSAGE_MAX = 1 << 20  # bytes: a page sends 16 KiB at most; what is larger would be held in memory whole
HEAD_MAX = 64 << 10  # bytes of a request's line and header
GRACE = 3  # s that requests under way get when the site stops


def config() -> uvicorn.Config:
    """Uvicorn's configuration. It takes X-Forwarded-* where a proxy is in front, which sets them (deploy/nginx)."""
    return uvicorn.Config(
        "playground.asgi:application",
        host=env.bind,
        port=env.port,
        loop="uvloop",
        http="h11",
        h11_max_incomplete_event_size=HEAD_MAX,
        ws="websockets-sansio",
        ws_max_size=MESSAGE_MAX,
        ws_per_message_deflate=False,
        # A terminal may be silent for hours; pings find the dead ones.
        ws_ping_interval=20,
        ws_ping_timeout=30,
        lifespan="off",
        # The structured logging of the settings stays as it is.
        log_config=None,
        access_log=False,
        # A preview's header is the learner's own server's.
        server_header=False,
        proxy_headers=env.behind_tls,
        forwarded_allow_ips="*" if env.behind_tls else "",
        timeout_keep_alive=75,  # longer than nginx keeps a connection to us, so that it meets none that has just been closed
        timeout_graceful_shutdown=GRACE,
    )


if __name__ == "__main__":
    connection_created.connect(hold_log)
    uvicorn.Server(config()).run()
