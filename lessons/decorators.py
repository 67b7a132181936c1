"""Who may call a JSON view, and how a refusal leaves it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from lessons.errors import Forbidden, Refused, WrongMethod

Arguments = ParamSpec("Arguments")
Answer = tuple[dict[str, Any], int]
JsonView = Callable[Concatenate[HttpRequest, Arguments], Answer]
HttpView = Callable[Concatenate[HttpRequest, Arguments], JsonResponse]


def signed_in_json(method: str) -> Callable[[JsonView[Arguments]], HttpView[Arguments]]:
    """For views that return (dict, status) and take one method of signed-in users. Refusals become the contract's errors."""

    def decorate(view: JsonView[Arguments]) -> HttpView[Arguments]:
        @never_cache
        @wraps(view)
        def answer(request: HttpRequest, *args: Arguments.args, **kwargs: Arguments.kwargs) -> JsonResponse:
            try:
                if request.method != method:
                    raise WrongMethod(f"Use {method}.")
                if not request.user.is_authenticated:
                    raise Forbidden("You are signed out. Sign in to use a machine.")
                content, status = view(request, *args, **kwargs)
            except Refused as error:
                response = JsonResponse({"error": {"code": error.code, "title": error.title, "text": error.text}}, status=error.http_status)
                if isinstance(error, WrongMethod):
                    response["Allow"] = method
                return response
            return JsonResponse(content, status=status)

        return cast("HttpView[Arguments]", answer)

    return decorate
