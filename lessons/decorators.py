"""Who may call a JSON view, and how a refusal leaves it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from lessons.errors import Forbidden, Refused, WrongMethod

Arguments = ParamSpec("Arguments")
Answer = tuple[dict[str, Any], int]
JsonView = Callable[Concatenate[HttpRequest, Arguments], Answer | StreamingHttpResponse]
HttpView = Callable[Concatenate[HttpRequest, Arguments], JsonResponse | StreamingHttpResponse]


def signed_in_json(method: str) -> Callable[[JsonView[Arguments]], HttpView[Arguments]]:
    """For views that return (dict, status), or a stream, and take one method of signed-in users. Refusals become the contract's errors."""

    def decorate(view: JsonView[Arguments]) -> HttpView[Arguments]:
        @never_cache
        @wraps(view)
        def answer(request: HttpRequest, *args: Arguments.args, **kwargs: Arguments.kwargs) -> JsonResponse | StreamingHttpResponse:
            try:
                if request.method != method:
                    raise WrongMethod(f"Use {method}.")
                if not request.user.is_authenticated:
                    raise Forbidden(_("You are signed out. Sign in to use a machine."))
                answered = view(request, *args, **kwargs)
            except Refused as error:
                response = JsonResponse(
                    {"error": {"code": error.code, "title": _(error.title), "text": _(error.text)}}, status=error.http_status
                )
                if isinstance(error, WrongMethod):
                    response["Allow"] = method
                return response
            return answered if isinstance(answered, StreamingHttpResponse) else JsonResponse(answered[0], status=answered[1])

        return cast("HttpView[Arguments]", answer)

    return decorate
