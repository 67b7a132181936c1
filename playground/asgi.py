"""The ASGI application: Django's pages, the lab WebSocket (Channels), the terminal gateway and the previews (plain ASGI)."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "playground.settings")
django_application = get_asgi_application()

# These import models, so they come after the application registry is ready.
from channels.auth import AuthMiddlewareStack  # noqa: E402

from engine.gateway.app import terminal  # noqa: E402
from engine.preview.app import by_host, preview  # noqa: E402
from lessons.consumers import LabConsumer  # noqa: E402

site = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(
                URLRouter(
                    [
                        path("ws/labs/<uuid:lab_id>/", LabConsumer.as_asgi()),
                        path("ws/terminals/<uuid:terminal_id>", terminal),  # type: ignore[arg-type]  # Channels routes ASGI applications
                    ]
                )
            )
        ),
    }
)
application = by_host(site, preview)
