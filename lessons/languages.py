"""The languages of the interface. A lesson's own words stay in its author's language."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation.trans_real import DjangoTranslation
from django.views.i18n import JavaScriptCatalog

SOURCE = "en"  # the words in the code


@cache
def script_words(language: str) -> dict[str, str]:
    """English words of the page's scripts -> that language's; empty for English. frontend/src/i18n.ts reads them."""
    if language.partition("-")[0] == SOURCE:
        return {}
    view = JavaScriptCatalog()
    view.translation = DjangoTranslation(language, domain="djangojs", localedirs=list(map(str, settings.LOCALE_PATHS)))
    return {word: text for word, text in view.get_catalog().items() if isinstance(text, str)}


def context(request: HttpRequest) -> dict[str, Any]:
    return {"script_words": script_words(translation.get_language() or SOURCE)}


def of_websocket(scope: dict[str, Any]) -> str:
    """The language that the pages of the same browser are in. `scope`: ASGI's, behind Channels' cookie middleware."""
    request = HttpRequest()
    request.COOKIES = scope.get("cookies", {})
    accepted = dict(scope["headers"]).get(b"accept-language", b"")
    request.META["HTTP_ACCEPT_LANGUAGE"] = accepted.decode("latin-1")
    return translation.get_language_from_request(request)
