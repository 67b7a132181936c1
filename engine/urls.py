"""Addresses of the engine's pages: Machines, Site health, and the metrics."""

from django.urls import path

from engine import metrics, views_health, views_machines, views_terminals
from engine.preview.views import port

urlpatterns = [
    path("machines/", views_machines.mine, name="machines"),
    path("machines/<uuid:sandbox_id>/stop/", views_machines.stop_mine, name="machine_stop"),
    path("manage/machines/", views_machines.manage, name="manage_machines"),
    path("manage/machines/<uuid:sandbox_id>/stop/", views_machines.stop_any, name="manage_machine_stop"),
    path("manage/health/", views_health.health, name="manage_health"),
    path("manage/health/samples/", views_health.samples, name="manage_health_samples"),
    path("ports/<slug:key>/<int:port>/", port, name="port"),
    path("terminals/<uuid:terminal_id>/write/", views_terminals.write, name="terminal_write"),
    path("metrics", metrics.metrics, name="metrics"),
]
