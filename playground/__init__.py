"""The Django project: settings, urls, asgi, celery. No features live here."""

from playground.celery import app as celery_app

__all__ = ["celery_app"]
