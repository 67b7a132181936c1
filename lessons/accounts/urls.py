"""The account's own pages. They come before allauth's under the same prefix; `2fa/` is the account page here."""

from django.urls import path
from django.views.generic import RedirectView

from lessons.accounts import views

urlpatterns = [
    path("", views.account, name="account"),
    path("export/", views.export, name="account_export"),
    path("delete/", views.delete, name="account_delete"),
    path("2fa/", RedirectView.as_view(pattern_name="account")),
]
