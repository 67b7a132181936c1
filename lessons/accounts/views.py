"""The account page, the copy of one's data, and the end of an account."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from engine import audit
from engine.models import Sandbox
from lessons.accounts import closing
from lessons.accounts.export import everything
from lessons.accounts.forms import DeleteForm, ProfileForm
from lessons.models import LessonProgress


def _sign_in(user: Any) -> dict[str, Any]:
    """How the person signs in, for the account page."""
    factors = list(Authenticator.objects.filter(user=user))
    codes = next((factor for factor in factors if factor.type == Authenticator.Type.RECOVERY_CODES), None)
    return {
        "app": next((factor for factor in factors if factor.type == Authenticator.Type.TOTP), None),
        "keys": [factor for factor in factors if factor.type == Authenticator.Type.WEBAUTHN],
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "sessions": UserSession.objects.filter(user=user).count(),
        "email": EmailAddress.objects.filter(user=user).order_by("-primary").first(),
    }


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def account(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = ProfileForm(request.POST if request.method == "POST" else None, initial={"name": user.get_full_name()})
    if form.is_valid():
        form.save(user)
        messages.success(request, _("Your name is saved."))
        return redirect("account")
    return render(request, "account/account.html", {"form": form, **_sign_in(user)}, status=422 if form.is_bound else 200)


@require_GET
@login_required
@never_cache
def export(request: HttpRequest) -> HttpResponse:
    """Everything the site keeps about who asks, as a file."""
    user: Any = request.user
    audit.record(user, "account.export", user.get_username())
    response = JsonResponse(everything(user), json_dumps_params={"indent": 2, "ensure_ascii": False})
    name = slugify(user.get_username()) or "account"
    response["Content-Disposition"] = f'attachment; filename="playground-{name}.json"'
    return response


@require_http_methods(["GET", "POST"])
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth has no types
@never_cache
def delete(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = DeleteForm(request.POST if request.method == "POST" else None, user=user)
    last_admin = closing.is_last_admin(user)
    if form.is_valid() and not last_admin:
        closing.close(user)
        logout(request)
        messages.success(request, _("Your account is deleted."))
        return redirect("home")
    context = {
        "form": form,
        "last_admin": last_admin,
        "machines": Sandbox.objects.filter(owner=user, state__in=closing.LIVE).count(),
        "lessons": LessonProgress.objects.filter(user=user).count(),
    }
    return render(request, "account/account_delete.html", context, status=422 if form.is_bound else 200)
