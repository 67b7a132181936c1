"""Every path of the site."""

from django.contrib import admin
from django.urls import include, path

from engine.health import healthz

urlpatterns = [
    path("healthz", healthz),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("manage/quotas/", include("engine.quota_urls")),
    path("", include("engine.urls")),
    path("", include("lessons.urls")),
]
