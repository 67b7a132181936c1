"""Addresses of the page Quotas."""

from django.urls import path

from engine import views_quotas

urlpatterns = [
    path("", views_quotas.overview, name="quotas"),
    path("new/", views_quotas.rule, name="quota_new"),
    path("<int:rule_id>/", views_quotas.rule, name="quota"),
    path("<int:rule_id>/remove/", views_quotas.remove, name="quota_remove"),
    path("nodes/<int:node_id>/", views_quotas.node, name="quota_node"),
]
