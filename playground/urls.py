"""Every path of the site."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from engine.health import healthz

# The administration's own form knows no second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("healthz", healthz),
    path("admin/", admin.site.urls),
    path("language/", set_language, name="set_language"),
    path("accounts/", include("lessons.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("manage/quotas/", include("engine.quota_urls")),
    path("", include("engine.urls")),
    path("", include("lessons.urls")),
]

handler400 = "lessons.views_errors.bad_request"
handler429 = "lessons.views_errors.too_many"  # django-allauth's
handler500 = "lessons.views_errors.server_error"
