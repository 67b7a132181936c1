"""Who may see a page for operators."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

View = Callable[..., HttpResponse]


def may(user: Any, right: str) -> bool:
    """Staff with the right. A right alone is not enough: staff is who the site's owner trusts."""
    return bool(user.is_active and user.is_staff and user.has_perm(right))


def for_staff(right: str) -> Callable[[View], View]:
    """A visitor is asked to sign in; anybody who is not staff with the right is refused."""

    def decorate(view: View) -> View:
        @never_cache
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not may(request.user, right):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return checked

    return decorate
